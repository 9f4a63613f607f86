"""What the browser keeps: it comes back as it was, and nonsense is nothing."""

import base64
import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.pages.memory import COOKIE, LONGEST_COOKIE, Memory, read_memory, write_memory

POINTS = (1, 2, 3, 4, 5)


@settings(max_examples=50)
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
    letters = random.Random(1).choices("กขคงจฉชซญดตถทธนบปผฝพฟภมยรลวศสหอฮ", k=5_000)
    value = write_memory(Memory(3, done=True, reasons=("a",), comment="".join(letters)))

    assert len(value) <= LONGEST_COOKIE
    assert read_memory({COOKIE: value}, POINTS) == Memory(3, done=True)


def test_a_long_comment_in_any_alphabet_is_kept() -> None:
    said = "การจัดส่งล่าช้ากว่ากำหนดสามวันและไม่มีใครแจ้งให้ทราบ 배송이 늦었습니다. " * 30
    memory = Memory(3, done=True, reasons=("delivery-late",), comment=said)

    assert len(said) > 1_800
    assert read_memory({COOKIE: write_memory(memory)}, POINTS) == memory


def test_what_would_unpack_to_a_flood_is_nothing() -> None:
    flood = base64.urlsafe_b64encode(zlib.compress(b"[3,false,[" + b" " * 900_000 + b"]]")).decode()

    assert len(flood) <= LONGEST_COOKIE
    assert read_memory({COOKIE: flood}, POINTS) == Memory()


@pytest.mark.parametrize(
    "value",
    ["", "x", "%%%", "ü", base64.urlsafe_b64encode(b"[3,false]").decode(), "A" * 5_000]
    + [
        base64.urlsafe_b64encode(zlib.compress(text)).decode()
        for text in (b"[", b'{"score":3}', b"[true]", b"[99,false]")
    ],
)
def test_nonsense_is_nothing(value: str) -> None:
    assert read_memory({COOKIE: value}, POINTS) == Memory()
