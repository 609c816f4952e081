"""The live check: what it sends, what the answers mean, and how that is shown.

A run goes one way: `plan` and `controls` choose the requests, `probe` sends them and returns
`exchange`s; `redaction` replaces what is secret; `evidence`, `judging`, `checks` (with `relations`
and `refusals`), `facts` and `questions` judge; `acceptance` lets known drift pass; `report`,
`github`, `patch` and `cassette` write, after `leaks` has searched the texts for secrets.
"""
