"""What trigger believes of a scored answer."""

from typing import Any

import pytest

from services.trigger.consumer import read_answer
from shared.errors import Refused
from shared.events import Topic
from shared.stream.records import Record
from shared.wire import encode
from tests.support.answered import answer
from tests.support.trigger import NOW, later


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"id": ""}, "id"),
        ({"klass": "x"}, "class"),
        ({"score": 11}, "score"),
        ({"survey": "x" * 300}, "survey"),
        ({"answered_at": NOW.replace(tzinfo=None)}, "answered_at"),
        ({"scored_at": NOW.replace(year=2999)}, "scored_at"),
    ],
)
def test_what_cannot_be_counted_is_refused(changed: dict[str, Any], field: str) -> None:
    record = Record(Topic.SCORED_RESPONSES, 0, 0, None, encode(answer(1, **changed)), (), 0)

    with pytest.raises(Refused) as refused:
        read_answer(record)

    assert refused.value.field == field


def test_nobody_answers_after_his_answer_was_stored() -> None:
    stored = int(later(days=-2).timestamp() * 1000)
    record = Record(Topic.SCORED_RESPONSES, 0, 0, None, encode(answer(1)), (), stored)

    assert read_answer(record).answered_at == later(days=-2)
    assert read_answer(record._replace(timestamp_ms=0)).answered_at == NOW
