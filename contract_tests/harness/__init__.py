"""The contract checks: a live probe, what its answers mean, and a report of it.

Plain functions, used by the tests and by ``make contract-live`` alike.
"""
