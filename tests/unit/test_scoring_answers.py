import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.consumer import build_decoders
from services.scoring.domain.answers import fold, version_of
from services.scoring.domain.cells import Line
from services.scoring.handlers import on_truths, scored_by
from shared.errors import Reason, Refused
from shared.events import ScoredResponse
from shared.stream.records import Record
from shared.wire import decode_record, decoder, encode
from tests.support.scoring import LAYOUT, START, MemoryLedger, invitation, record, response

DECODE = build_decoders(["touchpoint"])
MANY = {f"name {number}": "x" * 20 for number in range(101)}


def read(value: Any) -> Any:
    one = record(value)
    return DECODE[one.topic](one)


def raw(value: bytes, topic: str = "survey-responses") -> Record:
    return Record(topic, 0, 0, None, value, (), 0)


submissions = st.builds(
    lambda key, score, minute, region: response(
        f"a-{key}",
        score,
        answered_at=START + timedelta(minutes=minute),
        segments={"region": region},
    ),
    st.integers(0, 3),
    st.integers(0, 10),
    st.integers(0, 3),
    st.sampled_from(["EU", "US"]),
)
askings = st.builds(
    lambda key, revision: invitation(
        f"a-{key}", revision, status="sent" if revision > 1 else "scheduled"
    ),
    st.integers(0, 3),
    st.integers(1, 3),
)


@given(st.lists(submissions | askings, max_size=14), st.randoms(use_true_random=False))
def test_any_order_and_repetition_folds_to_the_same_truths(
    values: Any, order: random.Random
) -> None:
    truths = [read(value) for value in values]
    shuffled = truths + truths[: len(truths) // 2]
    order.shuffle(shuffled)

    assert fold(shuffled) == fold(truths)
    assert [one.id for one in fold(truths)] == sorted({one.id for one in truths})


async def told_by(ledger: Any, values: Any) -> Any:
    told: list[ScoredResponse] = []

    async def publish(news: Any) -> Any:
        told.extend(decode_record(decoder(ScoredResponse), value) for _, value in news)

    scored = scored_by(lambda _: "in-the-moment", {}, START)
    await on_truths([read(value) for value in values], ledger, publish, scored, START)
    return told


async def test_a_repeat_changes_nothing_and_tells_nothing() -> None:
    ledger = MemoryLedger()
    first = await told_by(ledger, [response("r-1", 3)])
    counted = dict(ledger.filled)

    again = await told_by(ledger, [response("r-1", 3), response("r-1", 3)])

    assert [one.score for one in first] == [3]
    assert again == []
    assert ledger.filled == counted


async def test_an_amendment_moves_the_answer_to_its_own_hour() -> None:
    ledger = MemoryLedger()
    await told_by(ledger, [response("r-1", 3)])

    later = START + timedelta(hours=2)
    told = await told_by(ledger, [response("r-1", 9, answered_at=later)])
    stale = await told_by(ledger, [response("r-1", 0, answered_at=START + timedelta(hours=1))])

    hours = {hour for (line, hour), _ in ledger.filled.items() if line.slice == ""}
    assert [(one.score, one.klass) for one in told] == [(9, "promoter")]
    assert stale == []
    assert hours == {int(later.timestamp()) // 3600}


async def test_the_frozen_segments_replace_what_the_answer_brought() -> None:
    ledger = MemoryLedger()
    answer = response(
        "i-1", 9, invitation_id="i-1", segments={"region": "brought"}, customer_id="brought"
    )
    alone = await told_by(ledger, [answer])

    joined = await told_by(ledger, [invitation("i-1")])

    assert alone[0].segments == {"region": "brought"}
    assert alone[0].version.endswith("/0")
    assert joined[0].segments == {"region": "EU", "product": "shoes"}
    assert (joined[0].customer_id, joined[0].kind) == ("c-1", "transactional")
    assert joined[0].version == alone[0].version[:-1] + "1"
    assert Line("nps", 10, "post-delivery", "region", ("brought",)) not in {
        line for line, _ in ledger.filled
    }


async def test_an_answer_before_and_after_its_invitation_ends_alike() -> None:
    values = [response("i-1", 9, invitation_id="i-1"), invitation("i-1", 1, status="scheduled")]
    values += [invitation("i-1", 2), response("i-1", 2, answered_at=START + timedelta(hours=3))]
    ends = []
    for seed in range(6):
        order = list(values)
        random.Random(seed).shuffle(order)
        ledger = MemoryLedger()
        for value in order:
            await told_by(ledger, [value])
        ends.append((ledger.truths, ledger.filled))

    assert all(end == ends[0] for end in ends)


def test_two_channels_of_one_invitation_count_once() -> None:
    web = read(response("web-1", 9, invitation_id="i-1"))
    mail = read(
        response("mail-1", 3, invitation_id="i-1", answered_at=START + timedelta(seconds=1))
    )

    (one,) = fold([mail, web])

    assert one.reply is not None
    assert (one.id, one.reply.score, one.reply.submission_id) == ("i-1", 3, "mail-1")


def test_a_version_compares_as_text() -> None:
    early, late = (
        read(response("r-1", 9)),
        read(response("r-1", 9, answered_at=START + timedelta(microseconds=1))),
    )

    assert version_of(early) == f"2026-11-21T10:00:00.000000Z/{early.reply.digest}/0"
    assert str(version_of(early)) < str(version_of(late))


def test_segments_are_cleaned_and_the_touchpoint_is_one() -> None:
    truth = read(
        response(
            "r-1",
            touchpoint=" kiosk ",
            segments={"region": "  E\u00a0U  ", "product": "  ", "note": "x"},
        )
    )

    assert truth.segments == {"region": "E U", "note": "x", "touchpoint": "kiosk"}


def test_control_characters_never_reach_the_database() -> None:
    value = encode(response("r-1", comment="a\x00b\tc\nd"))
    assert b"\\u0000" in value

    truth = DECODE["survey-responses"](raw(value))

    assert truth.reply.comment == "ab\tc\nd"


@pytest.mark.parametrize(
    ("changes", "reason", "field"),
    [
        ({"scale": [0, 7]}, Reason.OUT_OF_RANGE, "metric"),
        ({"metric": "stars"}, Reason.OUT_OF_RANGE, "metric"),
        ({"answers": {"score": 11}}, Reason.OUT_OF_RANGE, "answers.score"),
        ({"answers": {"score": "9"}}, Reason.WRONG_TYPE, "answers.score"),
        ({"answered_at": "2026-11-21T10:00:00"}, Reason.WRONG_TYPE, "answered_at"),
        ({"answered_at": "1200-11-21T10:00:00Z"}, Reason.OUT_OF_RANGE, "answered_at"),
        ({"id": ""}, Reason.OUT_OF_RANGE, "id"),
        ({"id": "x" * 3000}, Reason.TOO_LARGE, "id"),
        ({"answers": {"score": 9, "comment": "x" * 30_000}}, Reason.TOO_LARGE, "answers.comment"),
        ({"answers": {"score": 9, "reasons": ["x"] * 999}}, Reason.TOO_LARGE, "answers.reasons"),
        ({"answered_at": None}, Reason.WRONG_TYPE, "answered_at"),
        ({"segments": MANY}, Reason.TOO_LARGE, "segments"),
    ],
)  # fmt: skip
def test_a_record_that_cannot_count_names_its_field(
    changes: Any, reason: Reason, field: str
) -> None:
    import json

    value = json.dumps(json.loads(encode(response("r-1"))) | changes).encode()

    with pytest.raises(Refused) as refused:
        DECODE["survey-responses"](raw(value))

    assert (refused.value.reason, refused.value.field) == (reason, field)
    assert field in refused.value.detail


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"{", Reason.BAD_JSON),
        (None, Reason.BAD_JSON),
        (b'{"id": "\xff"}', Reason.BAD_UTF8),
        (b"{}", Reason.MISSING_FIELD),
        (b'{"comment": "\\u00zz"}', Reason.BAD_JSON),
    ],
)
@pytest.mark.parametrize("topic", ["survey-responses", "survey-invitations"])
def test_what_is_no_record_is_refused_with_a_reason(value: Any, reason: Reason, topic: str) -> None:
    with pytest.raises(Refused) as refused:
        DECODE[topic](raw(value, topic))

    assert refused.value.reason is reason


def test_an_invitation_on_no_known_scale_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        read(invitation("i-1", scale=(1, 3)))

    assert refused.value.field == "metric"


def test_slices_name_their_dimensions_in_one_order() -> None:
    assert set(LAYOUT.slices) == {
        "",
        "region",
        "product",
        "channel",
        "touchpoint",
        "product,region",
    }
