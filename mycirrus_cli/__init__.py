"""The ``mycirrus`` command: fetches calibration logs, and writes tables, files and reports.

A run has a query (`arguments`, `query`) and a key (`keys`). It is fetched (`fetch`, `progress`),
then written (`formats`, `table`, `output`) or kept (`archive`), and ends with a code (`exits`).
Each command is a module with a ``run``: `log`, `sync`, `report`, `doctor`, `completion`; `main`
calls it.
"""
