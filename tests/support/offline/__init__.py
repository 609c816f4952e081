"""A guard that makes every connection but one to loopback fail, in tests and in what they start."""
