"""Programs that people copy: README and docs show them, and a test runs each of them.

Not here: anything that another module imports.
"""
