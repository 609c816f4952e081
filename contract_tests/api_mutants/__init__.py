"""Wrong behaviours of the stand-in, and which check notices which."""
