"""The contract, as tests: the spec, the generated client, mocks, the stand-in, the live check.

Not here: tests in which the contract has no part; those are in ``tests/``.
"""
