from dataclasses import asdict, fields

import pandas as pd

from cirrus_ext import CalibrationRecord, CirrusClient

with CirrusClient() as client:
    history = client.calibration_history(
        ["QT123456", "QT234567"], start="2021-01-01T00:00:00Z", end="2024-01-01T00:00:00Z"
    )
    columns = [field.name for field in fields(CalibrationRecord)]
    log = pd.DataFrame((asdict(record) for record in history), columns=columns)
    log = log.astype({"time": "datetime64[us, UTC]"})  # also of a log without entries
print(log.groupby("instrument")["time"].agg(["count", "min", "max"]))
