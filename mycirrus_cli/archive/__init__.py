"""The archive: a SQLite file that ``mycirrus sync`` keeps up to date, and that shows each change.

`schema` has the tables, `chain` the hashes over them, and `checking` verifies those. `file` opens
an archive. `state` is what was read so far and what is due, `orders` what the command asks for,
`store` and `writer` write, and `reading` reads for other commands.
"""
