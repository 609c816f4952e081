"""The stand-in does what the page documents."""
