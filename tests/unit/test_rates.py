"""Token buckets, and whose they are."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.settings import SettingsFault
from shared.web.addresses import Addresses, read_networks
from shared.web.rates import BURST_S, Rates


class Watch:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_ten_seconds_worth_may_come_at_once_and_then_as_much_as_is_filled() -> None:
    watch = Watch()
    rates = Rates(2, clock=watch)

    at_once = [rates.take("a") for _ in range(21)]
    watch.now += 0.5

    assert at_once[:20] == [0.0] * 20
    assert at_once[20] == pytest.approx(0.5)
    assert rates.take("b") == 0.0
    assert rates.take("a") == 0.0
    assert rates.take("a") > 0


def test_who_is_refused_pays_nothing_and_who_misses_waits_no_longer_than_a_full_bucket() -> None:
    watch = Watch()
    rates = Rates(2, clock=watch)
    for _ in range(100):
        rates.charge("a", 20)

    assert rates.take("a") == rates.take("a") == pytest.approx(0.5)
    watch.now += BURST_S
    assert [rates.take("a") for _ in range(20)] == [0.0] * 20


def test_zero_is_any_rate_and_remembers_nobody() -> None:
    rates = Rates(0)

    assert not any(rates.take("a") for _ in range(10_000))
    assert len(rates) == 0


@given(st.lists(st.integers(0, 50), max_size=300))
def test_memory_is_bounded_and_a_name_is_kept_until_as_many_others_came(names: list[int]) -> None:
    watch = Watch()
    rates = Rates(0.1, most=8, clock=watch)  # one at once, and then none for ten seconds
    taken: list[int] = []

    for name in names:
        refused = rates.take(name) > 0
        since = taken[len(taken) - taken[::-1].index(name) :] if name in taken else None
        if since is not None and len(set(since)) < 8:
            assert refused
        if not refused:
            taken.append(name)

    assert len(rates) <= 16


def test_however_many_come_memory_is_bounded() -> None:
    rates = Rates(1, most=8)

    for name in range(1_000):
        rates.take(name)
        rates.charge(-name, 5)

    assert len(rates) <= 16


def scope(peer: str | None, *forwarded: str) -> Any:
    headers = [(b"x-forwarded-for", one.encode()) for one in forwarded]
    return {"client": None if peer is None else (peer, 1), "headers": headers}


TRUSTED = read_networks("10.0.0.0/8, 2001:db8::/32")


@pytest.mark.parametrize(
    ("peer", "forwarded", "name"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # no proxy of ours
        ("10.1.2.3", [], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["6.6.6.6, 198.51.100.1"], "198.51.100.1"),  # the first is made up
        ("10.1.2.3", ["6.6.6.6", "198.51.100.1"], "198.51.100.1"),
        ("10.1.2.3", ["198.51.100.1, 10.9.9.9"], "198.51.100.1"),
        ("10.1.2.3", ["198.51.100.1, nonsense"], "10.1.2.3"),
        ("10.1.2.3", ["198.51.100.1, nonsense, 10.9.9.9"], "10.9.9.9"),
        ("::ffff:203.0.113.9", [], "203.0.113.9"),
        ("2001:db9:1:2:3:4:5:6", [], "2001:db9:1:2::/64"),
        ("2001:db8::1", ["2001:db9:1:2:ffff::1"], "2001:db9:1:2::/64"),
        ("10.1.2.3", ["6.6.6.6:1, 198.51.100.1:4711"], "198.51.100.1"),  # as some proxies write
        ("10.1.2.3", ["[2001:db9:1:2:ffff::1]:4711, 10.9.9.9:80"], "2001:db9:1:2::/64"),
        ("10.1.2.3", ["[2001:db9:1:2:ffff::1]"], "2001:db9:1:2::/64"),
        ("10.1.2.3", ["198.51.100.1, :80"], "10.1.2.3"),
        (None, ["198.51.100.1"], "unknown"),
    ],
)
def test_an_address_is_the_peers_or_what_a_trusted_proxy_says(
    peer: str | None, forwarded: list[str], name: str
) -> None:
    assert Addresses(TRUSTED).of(scope(peer, *forwarded)) == name


def test_networks_that_are_none_are_named() -> None:
    with pytest.raises(SettingsFault, match=r"EARSHOT_TRUSTED_PROXIES: .*10\.0\.0\.1/8"):
        read_networks("10.0.0.1/8")
