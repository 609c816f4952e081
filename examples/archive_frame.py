import sqlite3
from contextlib import closing

import pandas as pd

with closing(sqlite3.connect("file:fleet.db?mode=ro", uri=True)) as archive:
    log = pd.read_sql("SELECT * FROM log", archive, parse_dates={"time": "ISO8601"})
print(log.groupby("instrument")["time"].agg(["count", "max"]))
