"""Use a history in one way, and print the peak memory: ``python -m benchmarks.memory KIND URL``."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from cirrus_ext import CalibrationRecord, CirrusClient
from mycirrus_cli.text_formats import NDJSONWriter

from .peers import KEY

STATUS = Path("/proc/self/status")
INSTRUMENTS = [f"QT{number:06}" for number in range(20)]
# Each instrument has 5 windows of 10,000 records.
START, END = "2018-01-01T00:00:00Z", "2022-12-30T00:00:00Z"

# By kind, the number of records.
RECORDS = {"nothing": 0, "stream": 1_000_000, "half": 500_000, "list": 1_000_000}


def main(kind: str, base_url: str) -> None:
    """Print the number of records and the peak in MB."""
    count = 0
    instruments = INSTRUMENTS[: RECORDS[kind] // 50_000]
    with CirrusClient(KEY, base_url=base_url) as client:
        if instruments:
            records = client.calibration_history(instruments, start=START, end=END)
            count = len(list(records)) if kind == "list" else _stream(records)
    print(count, _peak())


def _stream(records: Iterable[CalibrationRecord]) -> int:
    """Write records as `mycirrus log --format ndjson` does."""
    count = 0
    with Path(os.devnull).open("wb") as lines:
        writer = NDJSONWriter(lines)
        for count, record in enumerate(records, 1):  # noqa: B007 - the last one is the count
            writer.write([record])
    return count


def _peak() -> float:
    """MB; without the peak of the parent process, which `resource.getrusage` includes."""
    (line,) = (one for one in STATUS.read_text().splitlines() if one.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
