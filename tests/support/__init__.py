"""Servers, terminals and clocks for tests."""
