"""``make bench``: the SDK beside its peers, on the same work, in the same run.

Results are ratios and differences within a run: times would say more about the machine.
"""
