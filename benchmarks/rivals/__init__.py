"""The peers that Earshot is measured beside, each under the contract of `benchmarks.scoring`."""
