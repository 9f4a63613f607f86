"""Run the tests that are asked for, two processes at a time; print and write their tables."""

import argparse
import sys
import time
from pathlib import Path

from benchmarks.spikes.catalogue import TESTS
from benchmarks.spikes.rows import Plan, Verdict, to_table
from benchmarks.spikes.runs import run
from benchmarks.written import write_between


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.spikes", description=__doc__)
    parser.add_argument("tests", nargs="*", metavar="T", help=f"of {', '.join(TESTS)}")
    parser.add_argument("--full", action="store_true", help="less than 20 minutes on two cores")
    parser.add_argument("--seeds", "--seed", nargs="+", type=int, default=[])
    parser.add_argument("--write", type=Path, metavar="FILE")
    asked = parser.parse_args()
    unknown = [name for name in asked.tests if name not in TESTS]
    if unknown:
        parser.error(f"no test {', '.join(unknown)}; there are {', '.join(TESTS)}")
    plan = Plan(full=asked.full, seeds=tuple(asked.seeds))
    missed: list[str] = []
    began = time.monotonic()
    for name, rows in run(asked.tests or list(TESTS), plan):
        text = f"{to_table(rows)}\n"
        took = time.monotonic() - began
        print(f"== {TESTS[name].title} ({took:.0f} s so far)\n\n{text}", flush=True)
        if asked.write is not None:
            write_between(asked.write, name, text)
        missed += [f"{name}, {row.what}" for row in rows if row.verdict is Verdict.MISSED]
    print(f"{len(missed)} bars missed beyond noise", *missed, sep="\n- ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
