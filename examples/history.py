from cirrus_ext import CirrusClient

with CirrusClient() as client:  # reads the key from MYCIRRUS_API_KEY
    for record in client.calibration_history(
        ["QT123456"], start="2021-01-01T00:00:00Z", end="2024-01-01T00:00:00Z"
    ):
        print(record.instrument, record.time, record.user, record.message)
