"""Tests that are slow by nature: `make slow` runs them, `make test` does not."""
