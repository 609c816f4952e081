"""The archive: a SQLite file that ``mycirrus sync`` keeps up to date, and that shows each change.

`schema` says which tables there are and which of their rows the chain covers, `chain` computes and
verifies it, `file` opens a file, `state` is what was read so far, `planning` which windows are
due, `store` writes, and `reading` reads.
"""
