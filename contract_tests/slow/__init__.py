"""What is slow by nature: `make slow` runs it."""
