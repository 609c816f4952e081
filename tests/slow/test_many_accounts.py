import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any, cast

import psutil
import pytest
from dask.system import CPU_COUNT

from examples import many_accounts
from mycirrus_contract.messages import Reply, Request
from mycirrus_contract.standin.adapters import Standin, demo_world, serve
from mycirrus_contract.standin.limit import Limit
from tests.support.paths import ROOT

INSTRUMENTS = ["QT123456", "QT234567", "QT345678", "QT456789", "QT567890"]
RATE = 2.0  # requests a second, of each key


class Account(Standin):
    """A stand-in for one key, which notes when it was asked."""

    def __init__(self, key: str) -> None:
        super().__init__(world=replace(demo_world(), keys=frozenset({key})), limit=Limit(RATE))
        self.times: list[float] = []

    def handle(self, request: Request) -> Reply:
        self.times.append(time.monotonic())
        return super().handle(request)

    def share_of_limit(self) -> float:
        """The answers that held items, of those that the limit allowed in the time between."""
        assert self.limit is not None
        answers = len(self.requests) - self.limit.refused
        return answers / (RATE + RATE * (self.times[-1] - self.times[0]))


class Server:
    """The accounts behind one address. A key that is not known gets a 401."""

    def __init__(self, keys: list[str]) -> None:
        self.accounts = {key: Account(key) for key in keys}
        self.stranger = Account("nobody's")

    async def __call__(
        self,
        scope: Any,
        receive: Any,
        send: Any,
    ) -> None:
        key = dict(scope["headers"]).get(b"x-api-key", b"").decode()
        await self.accounts.get(key, self.stranger)(scope, receive, send)


KEYS = {"north": "key-of-north", "south": "key-of-south", "expired": "key-that-expired"}


@contextmanager
def running(server: Server, folder: Path, names: list[str]) -> Iterator[subprocess.Popen[str]]:
    """The example, with the accounts of some names."""
    accounts = folder / "accounts.toml"
    accounts.write_text(
        "".join(f'[{name}]\nkey = "{KEYS[name]}"\ninstruments = {INSTRUMENTS}\n' for name in names)
    )
    accounts.chmod(0o600)
    with (
        serve(cast("Standin", server)) as base_url,
        subprocess.Popen(
            [sys.executable, "-m", "examples.many_accounts", str(accounts), str(folder)],
            cwd=ROOT,
            env=os.environ
            | {"MYCIRRUS_BASE_URL": base_url, "NO_PROXY": "*"}
            | {"DASK_LOGGING__DISTRIBUTED": "debug"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process,
    ):
        yield process


def entries_since_2021() -> int:
    return sum(
        entry.instrument in INSTRUMENTS and entry.time >= "2021" for entry in demo_world().entries
    )


def test_a_thousand_accounts_start_a_worker_for_each_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts, started = tmp_path / "accounts.toml", list[int]()
    accounts.write_text("".join(f"[account-{number}]\n" for number in range(1000)))

    def client(*, n_workers: int, **_: object) -> None:
        started.append(n_workers)
        raise KeyboardInterrupt

    monkeypatch.setattr(many_accounts, "Client", client)
    with pytest.raises(KeyboardInterrupt):
        many_accounts.main(str(accounts), str(tmp_path))

    assert started == [CPU_COUNT]


def test_the_accounts_together_get_nine_tenths_of_the_sum_of_their_limits(tmp_path: Path) -> None:
    """A busy machine can only lower a share: one run of three is enough."""
    assert any(mean_share_of_a_run(tmp_path / str(run)) >= 0.9 for run in range(3))


def mean_share_of_a_run(folder: Path) -> float:
    folder.mkdir()
    server = Server([KEYS["north"], KEYS["south"]])
    with running(server, folder, ["north", "south"]) as process:
        output, _ = process.communicate(timeout=180)

    assert process.returncode == 0, output
    assert f"2 accounts, {2 * entries_since_2021()} entries, 0 failures" in output
    return mean(account.share_of_limit() for account in server.accounts.values())


def test_a_killed_worker_costs_no_entry_and_a_refused_key_fails_alone(
    tmp_path: Path,
) -> None:
    server = Server([KEYS["north"], KEYS["south"]])
    with running(server, tmp_path, [*KEYS]) as process:
        north = server.accounts[KEYS["north"]]
        while len(north.times) < 10 and process.poll() is None:
            time.sleep(0.05)
        worker_of(process, "north").kill()
        output, _ = process.communicate(timeout=180)

    assert process.returncode == 1
    expected = entries_since_2021()
    assert re.search(f"^north: {expected} entries", output, re.MULTILINE)
    assert re.search(f"^south: {expected} entries", output, re.MULTILINE)
    assert re.search("^expired: 0 entries .*401", output, re.MULTILINE)
    assert f"3 accounts, {2 * expected} entries, 1 failures" in output
    assert [key for key in KEYS.values() if key in output] == []


def worker_of(process: subprocess.Popen[str], name: str) -> psutil.Process:
    """The process that has the archive of an account open."""
    for child in psutil.Process(process.pid).children(recursive=True):
        if any(Path(file.path).stem == name for file in child.open_files()):
            return child
    raise AssertionError(f"no process has the archive of {name} open")
