"""All tests in which the contract has no part: the SDK, the command, the project itself.

Not here: tests that hold behaviour to the spec; those are in ``contract_tests/``.
"""
