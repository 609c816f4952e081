import time

from cirrus_ext import APIConnectionError, CirrusClient, RateLimitError, ServerError, plan_history

windows = plan_history(
    ["QT123456", "QT234567"], start="2019-01-01T00:00:00Z", end="2024-01-01T00:00:00Z"
)
print(len(windows), "requests")
done = 0
with CirrusClient() as client:
    for pause in (60, 600, 3600, None):  # seconds; after the fourth failure the error is raised
        try:
            for window, records in client.history_windows(windows[done:]):
                print(window.instrument, window.start.date(), len(records))
                done += 1
            break
        except (APIConnectionError, RateLimitError, ServerError):
            if pause is None:
                raise
            time.sleep(pause)
