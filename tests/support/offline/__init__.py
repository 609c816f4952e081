"""A guard that lets tests and their child processes connect to loopback addresses only."""
