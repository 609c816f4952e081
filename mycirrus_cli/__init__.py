"""The ``mycirrus`` command: from a serial number to a file that somebody can use.

What a run asks (`arguments`, `query`), with which key (`keys`), how it is fetched (`fetch`,
`progress`), written (`formats`, `table`, `output`) or kept (`archive`), and how it ends (`exits`).
Each command is a module with a ``run``: `log`, `sync`, `report`, `doctor`, `completion`; `main`
calls it.
Not here: anything that a program would import; that is `cirrus_ext`.
"""
