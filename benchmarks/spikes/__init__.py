"""T1 to T11: what the detector promises, measured against its bars, rivals beside it.

    python -m benchmarks.spikes [T1 T3 ...] [--full] [--seeds 1 2 ...] [--write docs/spikes.md]

The subset takes two minutes, the full run less than twenty on two cores.
"""
