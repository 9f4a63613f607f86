"""Minutes close only when nothing of them can be on its way."""

from datetime import UTC, datetime, timedelta

from services.alerts.domain.answers import Line, minute_of
from services.alerts.domain.watermark import UNKNOWN, Sight, Watermark, forget, watermark

LINE, OTHER = Line("nps", "a"), Line("csat", "b")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)


def sight(
    at_s: float,
    ends: dict[int, int],
    nexts: dict[int, int],
    lately: dict[int, datetime],
    line: Line = LINE,
) -> Sight:
    return Sight(at_s, ends, nexts, {line: lately})


def test_nothing_is_known_until_a_moment_was_waited() -> None:
    assert watermark([sight(0, {0: 5}, {0: 5}, {0: NOON})], 1.0, LINE) == UNKNOWN


def test_a_partition_that_lags_holds_the_time_at_its_newest_answer() -> None:
    seen = sight(0, {0: 5, 1: 9}, {0: 5, 1: 3}, {0: LATER, 1: NOON})
    now = sight(2, {0: 5, 1: 9}, {0: 5, 1: 3}, {0: LATER, 1: NOON})

    assert watermark([seen, now], 1.0, LINE) == Watermark(NOON)


def test_a_partition_that_lags_and_never_spoke_leaves_the_time_unknown() -> None:
    seen = sight(0, {0: 5, 1: 9}, {0: 5}, {0: NOON})
    now = sight(2, {0: 5, 1: 9}, {0: 5}, {0: NOON})

    assert watermark([seen, now], 1.0, LINE) == UNKNOWN


def test_a_partition_that_brought_answers_lately_holds_the_time_too() -> None:
    seen = sight(0, {0: 5, 1: 3}, {0: 5, 1: 3}, {0: LATER})
    now = sight(2, {0: 5, 1: 9}, {0: 5, 1: 9}, {0: LATER, 1: NOON})

    assert watermark([seen, now], 1.0, LINE) == Watermark(NOON)


def test_a_quiet_line_is_not_held_by_the_traffic_of_others() -> None:
    seen = sight(0, {0: 50}, {0: 40}, {0: NOON})
    now = sight(2, {0: 80}, {0: 70}, {0: NOON})

    assert watermark([seen, now], 1.0, LINE) == Watermark(None)


def test_records_that_came_since_the_last_look_do_not_hold_the_time() -> None:
    seen = sight(0, {0: 5}, {0: 5}, {0: NOON})
    now = sight(2, {0: 6}, {0: 5}, {0: NOON})

    assert watermark([seen, now], 1.0, LINE) == Watermark(None)


def test_one_line_does_not_hold_the_other() -> None:
    seen = Sight(0, {0: 9}, {0: 3}, {LINE: {0: NOON}})
    now = Sight(2, {0: 9}, {0: 4}, {LINE: {0: LATER}, OTHER: {0: NOON}})

    assert watermark([seen, now], 1.0, LINE) == Watermark(LATER)
    assert watermark([seen, now], 1.0, OTHER) == Watermark(NOON)


def test_the_minute_of_the_newest_answer_stays_open() -> None:
    noon = minute_of(NOON)

    assert Watermark(NOON).closes(0, noon) == noon - 1
    assert Watermark().closes(0, noon) == noon - 1
    assert Watermark().closes(7, None) == 7
    assert UNKNOWN.closes(7, noon) == 7
    assert Watermark(NOON).closes(noon + 5, None) == noon + 5  # closed is closed


def test_sights_that_no_watermark_needs_are_forgotten() -> None:
    sights = [Sight(at_s) for at_s in (0, 1, 2, 3)]

    assert [s.at_s for s in forget(sights, 1.5)] == [1, 2, 3]
    assert [s.at_s for s in forget(sights, 9)] == [0, 1, 2, 3]
