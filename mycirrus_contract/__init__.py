"""What knows the contract: its model, the conformity of one exchange, a stand-in, the live check.

Not here: the contract itself, which is data in ``openapi/``, and the tests that hold it.
"""
