"""``make bench``: the SDK beside its peers, on the same work, in the same run.

Only ratios and differences within a run are told: times would say more about the machine.
"""
