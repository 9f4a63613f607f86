"""Evidence adds up whatever the batches."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.alerts.domain.answers import (
    LATEST,
    Answer,
    Change,
    Line,
    Place,
    Tick,
    bring_forward,
    fold,
    tally,
)

LINE = Line("nps", "post-delivery")


def answer(name: str, minute: int, *, version: str = "1", detractor: bool = True) -> Answer:
    return Answer(name, version, Place(*LINE, minute, "{}"), detractor)


answers = st.lists(
    st.builds(
        answer,
        st.sampled_from("abcdef"),
        st.integers(1, 5),
        version=st.sampled_from("123"),
        detractor=st.booleans(),
    ),
    max_size=30,
)


@settings(max_examples=60)
@given(answers, st.integers(1, 7))
def test_any_cut_into_batches_counts_each_id_once_at_its_greatest_version(
    stream: list[Answer], size: int
) -> None:
    known: dict[str, Answer] = {}
    sums: dict[Place, list[int]] = {}
    for start in range(0, len(stream), size):
        changes = []
        for one in fold(stream[start : start + size]):
            before = known.get(one.id)
            if before is None or before.version < one.version:
                known[one.id] = one
                changes.append(Change(one, before and (before.place, before.detractor)))
        for place, tick in tally(changes).items():
            entry = sums.setdefault(place, [0, 0])
            entry[0] += tick.answers
            entry[1] += tick.detractors

    whole = tally(Change(one, None) for one in known.values())
    assert {place: Tick(*entry) for place, entry in sums.items() if entry[0]} == whole


def test_an_answer_of_a_judged_minute_joins_the_oldest_open_one() -> None:
    moved = bring_forward([answer("a", 100), answer("b", 101)], {LINE: 100})

    assert [a.place.minute for a in moved] == [101, 101]


def test_a_line_that_nobody_judged_keeps_every_minute() -> None:
    assert bring_forward([answer("a", 1)], {}) == [answer("a", 1)]


def test_an_import_of_the_distant_past_is_no_evidence_about_today() -> None:
    now = 10 * LATEST

    assert bring_forward([answer("a", now - LATEST)], {LINE: now}) == []
    assert len(bring_forward([answer("a", now - LATEST + 1)], {LINE: now})) == 1
