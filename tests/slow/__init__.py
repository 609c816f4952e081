"""Slow tests: `make slow` runs them, `make test` does not."""
