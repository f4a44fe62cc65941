"""The figures that the program is held to, each beside its peer of the same run: `python -m bench` (docs/benchmarks.md)."""
