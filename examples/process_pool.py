from concurrent.futures import ProcessPoolExecutor
from functools import cache

from cirrus_ext import CalibrationRecord, CirrusClient, HistoryWindow, plan_history


@cache
def client() -> CirrusClient:
    return CirrusClient(max_concurrency=1)


def fetch(window: HistoryWindow) -> list[CalibrationRecord]:
    return client().fetch_window(window)


if __name__ == "__main__":
    windows = plan_history(
        ["QT123456", "QT234567"], start="2021-01-01T00:00:00Z", end="2024-01-01T00:00:00Z"
    )
    with ProcessPoolExecutor(2) as pool:
        print(sum(len(records) for records in pool.map(fetch, windows)), "records")
