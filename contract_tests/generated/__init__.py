"""The generated client is what the spec generates, and sends what the page shows."""
