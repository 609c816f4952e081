import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from cirrus_ext import CalibrationRecord, CirrusClient, plan_history

OFFSET = re.compile(r"[+-]\d+\.\d+(?= dB)")


def largest_offset(records: list[CalibrationRecord]) -> float:
    texts = " ".join(record.message or "" for record in records)
    return max((abs(float(offset)) for offset in OFFSET.findall(texts)), default=0.0)


if __name__ == "__main__":
    windows = plan_history(
        ["QT123456", "QT234567"], start="2021-01-01T00:00:00Z", end="2024-01-01T00:00:00Z"
    )
    with CirrusClient() as client, ProcessPoolExecutor(2, get_context("spawn")) as pool:
        work = [
            pool.submit(largest_offset, records) for _, records in client.history_windows(windows)
        ]
        print(f"largest offset: {max(each.result() for each in work):.2f} dB")
