"""What the browser keeps: it comes back as it was, and nonsense is nothing."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.pages.memory import COOKIE, LONGEST_COOKIE, Memory, read_memory, write_memory

POINTS = (1, 2, 3, 4, 5)


@given(
    st.builds(
        Memory,
        score=st.sampled_from(POINTS),
        done=st.booleans(),
        reasons=st.lists(st.text(st.characters(codec="utf-8"), max_size=10)).map(tuple),
        comment=st.none() | st.text(st.characters(codec="utf-8"), max_size=300),
    )
)
def test_what_was_kept_comes_back(memory: Memory) -> None:
    assert read_memory({COOKIE: write_memory(memory)}, POINTS) == memory


def test_a_comment_too_long_for_a_cookie_is_left_out() -> None:
    value = write_memory(Memory(3, done=True, reasons=("a",), comment="x" * 5_000))

    assert len(value) <= LONGEST_COOKIE
    assert read_memory({COOKIE: value}, POINTS) == Memory(3, done=True)


@pytest.mark.parametrize(
    "value",
    ["", "x", "%%%", "ü", base64.urlsafe_b64encode(b"[99,false]").decode(), "A" * 5_000]
    + [base64.urlsafe_b64encode(text).decode() for text in (b"[", b'{"score":3}', b"[true]")],
)
def test_nonsense_is_nothing(value: str) -> None:
    assert read_memory({COOKIE: value}, POINTS) == Memory()
