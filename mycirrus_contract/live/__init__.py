"""The live probe: what it asks, what the answers mean, and how that is shown.

A run goes one way: `probe` asks and gives `exchange`s; `redaction` takes out what is secret;
`checks` and `questions` judge; `acceptance` lets known drift pass; `report` and `cassette` write.
Plain functions, used by the tests and by ``make contract-live`` alike.
"""
