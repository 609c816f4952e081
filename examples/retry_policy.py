from cirrus_ext import CirrusClient, RetryPolicy

patient = RetryPolicy(max_attempts=6, total_timeout=600)  # max_attempts=1 turns retries off
with CirrusClient(retry=patient, timeout=60, on_event=print) as client:
    client.calibration_log(["QT123456"], start="2023-01-01T00:00:00Z", end="2023-01-31T00:00:00Z")
