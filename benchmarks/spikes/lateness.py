"""T7: answers that come late, shuffled or twice."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from benchmarks.spikes.counting import Twice, deliver_twice
from benchmarks.spikes.fleets import counted, watch
from benchmarks.spikes.promise import FLEETS, SEEDS
from benchmarks.spikes.rows import Part, Plan, Row, Trial, Verdict, judge_count, judge_mean
from benchmarks.spikes.spikes import LASTS_H, Found, find, of_class
from benchmarks.spikes.worlds import Size, deliver_late, draw_world

SMALL = Size(segments=400, weeks=2)
SLOWER = 1.10


def late_alarms(scenario: str, seed: int, size: Size) -> int:
    world = deliver_late(draw_world(seed, FLEETS[scenario], size), seed)
    return len(counted(world, watch(world)))


def both(seed: int, size: Size) -> tuple[Found, Found]:
    """The same spikes with answers on time, and with a tenth of them late."""
    scenario = next(iter(FLEETS))
    on_time, late = (find(scenario, seed, size, late=late, rivals=False) for late in (False, True))
    return on_time, late


def _setup(plan: Plan) -> tuple[tuple[int, ...], Size]:
    seeds = plan.seeds or SEEDS[: 3 if plan.full else 1]
    return seeds, Size() if plan.full else SMALL


def _parts(plan: Plan) -> list[Part]:
    seeds, size = _setup(plan)
    parts: list[Part] = [
        partial(late_alarms, scenario, seed, size) for scenario in FLEETS for seed in seeds
    ]
    parts += [partial(both, seed, size) for seed in seeds]
    streams, days = (40, 9) if plan.full else (12, 6)
    return [*parts, partial(deliver_twice, seeds[0], streams, days)]


def _rows(plan: Plan, done: Sequence[int | tuple[Found, Found] | Twice]) -> list[Row]:
    seeds, size = _setup(plan)
    weeks = len(seeds) * size.weeks
    counts = [one for one in done if isinstance(one, int)]
    rows = []
    for i, scenario in enumerate(FLEETS):
        count = sum(counts[i * len(seeds) : (i + 1) * len(seeds)])
        rows.append(
            Row(
                f"{scenario}: alarms a week, 10 % late ({weeks} fleet-weeks)",
                f"{count / weeks:.2f}",
                "1",
                judge_count(count, weeks),
            )
        )
    rows.append(_slower([one for one in done if isinstance(one, tuple)]))
    rows += [_disturbed(one) for one in done if isinstance(one, Twice)]
    return rows


def _slower(pairs: Sequence[tuple[Found, Found]]) -> Row:
    """Mean waits of the same spikes; one that was never found counts a week."""
    on_time, late = (
        np.minimum(of_class([pair[i] for pair in pairs], "Earshot", 100, 1_000), LASTS_H)
        for i in (0, 1)
    )
    ratio = float(late.mean() / on_time.mean())
    error = float((late - ratio * on_time).std() / on_time.mean() / np.sqrt(len(late)))
    return Row(
        f"delay with 10 % late over delay without, 100 to 1,000 a day ({len(late)} spikes)",
        f"{ratio:.2f} ± {error:.2f}",
        f"{SLOWER:.2f}",
        judge_mean(ratio, error, SLOWER),
    )


def _disturbed(twice: Twice) -> Row:
    same = twice.clean == twice.disturbed and twice.clean
    return Row(
        f"{twice.answers:,} answers shuffled, {twice.repeats:,} of them sent again",
        f"{len(twice.disturbed)} alarms; as without: {'yes' if same else 'no'}",
        "the same alarms, minute and evidence",
        Verdict.MET if same else Verdict.MISSED,
    )


T7 = Trial("T7 late (a tenth of the answers, 12 hours on average), shuffled, twice", _parts, _rows)
