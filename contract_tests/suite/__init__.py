"""The offline suite: schemathesis and checks of our own, against the stand-in."""
