"""A whole deployment at half of what it can do, for long, while things break at random.

Run by hand: `python -m benchmarks soak --minutes 30`.
"""
