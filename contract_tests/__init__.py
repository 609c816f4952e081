"""The contract, as tests: the spec, a stand-in of the API, the checks, the live probe.

Nothing of this is in the wheel.
"""
