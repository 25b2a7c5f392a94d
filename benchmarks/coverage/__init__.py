"""The coverage table: every architecture, format and precision through the real converters.

`python -m benchmarks.coverage` writes `benchmarks/results/coverage.json` and `docs/coverage.md`.
"""
