"""Which days tell how alike answers are."""

from datetime import UTC, datetime, timedelta

from services.scoring.domain.alikeness import ENOUGH, learnt_from
from services.scoring.domain.windows import Window

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
TODAY = (NOW - datetime(1970, 1, 1, tzinfo=UTC)).days
LAST = Window(datetime(2026, 10, 25, 10, tzinfo=UTC), datetime(2026, 11, 22, 10, tzinfo=UTC))


def test_nobody_answered() -> None:
    assert learnt_from({}, NOW) is None


def test_the_last_days_where_they_have_enough_answers_however_many_there_were_before() -> None:
    assert learnt_from({TODAY - 5: ENOUGH, TODAY - 400: 90 * ENOUGH}, NOW) == LAST


def test_the_last_days_where_no_others_have_more() -> None:
    assert learnt_from({TODAY - 5: 3}, NOW) == LAST
    assert learnt_from({TODAY - 5: 3, TODAY - 400: 3}, NOW) == LAST


def test_the_days_with_the_most_answers_where_the_last_have_too_few() -> None:
    busy = {TODAY - 1000 + day: 40 for day in range(28)}
    seldom = {TODAY - 900: ENOUGH - 1, TODAY: ENOUGH - 1}
    midnight = NOW.replace(hour=0, minute=0) - timedelta(days=1000)

    assert learnt_from(busy | seldom, NOW) == Window(midnight, midnight + timedelta(days=28))
