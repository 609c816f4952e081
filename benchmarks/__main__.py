"""``make bench``: measure, print, and after a complete run write ``RESULTS.md`` and its picture."""

import argparse
import os
import time
from datetime import UTC, datetime

from .peers import write_openapi_generator_client
from .results import Results, spread_of_row, target_of, value_of, write
from .rows import Bench, Row
from .server import serving
from .works import WORKS


def parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    command.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        choices=[work.name for work in WORKS],
        help=f"measure this, and write nothing; repeatable: {', '.join(w.name for w in WORKS)}",
    )
    command.add_argument("--quick", action="store_true", help="two rounds, and write nothing")
    return command


def main() -> None:
    options = parser().parse_args()
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"
    works = [work for work in WORKS if not options.only or work.name in options.only]
    began, rows = time.monotonic(), list[Row]()
    no_rival = write_openapi_generator_client()
    with serving() as served:
        bench = Bench(served, no_rival, quick=options.quick)
        for work in works:
            print(f"\n{work.title}", flush=True)
            for row in work.run(bench):
                print_row(row)
                rows.append(row)
    results = Results(works, rows, datetime.now(UTC).date(), time.monotonic() - began)
    print(f"\n{len(results.missed)} targets missed, {results.seconds:.0f} s.")
    if not (options.only or options.quick):
        write(results)
        print("Written: benchmarks/RESULTS.md and benchmarks/results.svg")


def print_row(row: Row) -> None:
    target = f"{target_of(row)}: {row.verdict}" if row.target and row.values else row.verdict
    print(f"  {row.beside:46} {value_of(row):22} {spread_of_row(row):16} {target}", flush=True)


if __name__ == "__main__":
    main()
