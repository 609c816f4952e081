from datetime import UTC, datetime

from cirrus_ext import CirrusClient

with CirrusClient() as client:
    items = client.calibration_log(
        ["QT123456", "QT234567"],
        start=datetime(2023, 1, 1, tzinfo=UTC),
        end=datetime(2023, 1, 31, tzinfo=UTC),
    )
    print(len(items), "items")
