"""How tests are spread over workers: what is named is there, the longest begins first."""

from typing import Any, cast

import pytest

from tests.support.spread import LONG, put_long_first, scope_of
from tests.support.system import ROOT


@pytest.mark.parametrize("name", LONG)
def test_tests_that_may_run_apart_share_no_module(name: str) -> None:
    text = (ROOT / name).read_text()

    assert 'scope="module"' not in text
    assert 'scope="class"' not in text


class Item:
    def __init__(self, nodeid: str) -> None:
        self.nodeid = nodeid


def test_long_ones_begin_then_faults_then_the_fullest_files() -> None:
    few, full = "tests/unit/test_few.py", "tests/unit/test_full.py"
    fault, long = "tests/faults/test_order.py", LONG[0]
    names = [f"{few}::a", f"{full}::b", f"{long}::a", f"{full}::a", f"{fault}::a", f"{long}::b"]
    items: list[Any] = [Item(name) for name in names]
    put_long_first(cast("list[pytest.Item]", items))

    assert [item.nodeid for item in items] == [
        f"{long}::a", f"{long}::b", f"{fault}::a", f"{full}::b", f"{full}::a", f"{few}::a",
    ]  # fmt: skip


def test_a_file_stays_together_and_a_long_one_does_not() -> None:
    assert {scope_of(f"{LONG[0]}::{test}") for test in "ab"} == {f"{LONG[0]}::a", f"{LONG[0]}::b"}
    assert {scope_of(f"tests/unit/test_few.py::{test}") for test in "ab"} == {
        "tests/unit/test_few.py"
    }
