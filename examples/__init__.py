"""Programs that people copy; each is run by a test.

Not here: anything that another module imports.
"""
