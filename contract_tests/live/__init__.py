"""The live check, tried on stand-ins that hold and that do not."""
