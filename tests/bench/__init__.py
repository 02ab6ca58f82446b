"""The benchmarks of the README: `python -m tests.bench [--quick] [--only NAME...]`."""
