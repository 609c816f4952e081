"""What the README says is so: its programs run, and its numbers are the code's."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cirrus_ext import RetryPolicy, errors
from mycirrus_cli.arguments import parse
from mycirrus_contract.live.command import EXIT_CODES
from mycirrus_contract.standin.adapters import Standin, serve
from mycirrus_contract.standin.rules import DEMO_KEY
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Block:
    """A program of the README, and what it prints with the stand-in."""

    name: str
    code: str


BLOCKS = [
    Block(f"line {README[: match.start()].count(chr(10)) + 1}", match[1])
    for match in re.finditer(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
]


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """A stand-in on a socket."""
    with serve(Standin()) as url:
        yield url


def run(block: Block, base_url: str, folder: Path) -> str:
    """What a program prints, typed into a file."""
    path = folder / "program.py"
    path.write_text(block.code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(path)],
        env=os.environ | {"MYCIRRUS_BASE_URL": base_url, "MYCIRRUS_API_KEY": DEMO_KEY},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_every_program_of_the_readme_runs(block: Block, base_url: str, tmp_path: Path) -> None:
    """As it stands, with the key in the environment, and it prints something unless it need not."""
    output = run(block, base_url, tmp_path)

    assert output or "print(" not in block.code


def test_the_first_program_is_whole_by_line_15_and_shows_the_log(
    base_url: str, tmp_path: Path
) -> None:
    """That is what a stranger tries."""
    assert len(BLOCKS) > 8
    assert README.splitlines().index("```", README.splitlines().index("```python")) < 15
    output = run(BLOCKS[0], base_url, tmp_path)

    assert "QT123456 2022-06-07 11:18:42.814000+00:00 Quantum Demo Installed and working" in output


def test_the_message_that_the_readme_quotes_is_the_real_one(base_url: str, tmp_path: Path) -> None:
    """To the letter."""
    (block,) = [
        block for block in BLOCKS if "except CirrusError as error:\n        print" in block.code
    ]
    quoted = re.search(r"^prints `(.*)`\.$", README, re.MULTILINE)

    assert quoted is not None
    assert run(block, base_url, tmp_path) == quoted[1] + "\n"


def test_every_command_of_the_readme_is_one() -> None:
    """With options that there are."""
    lines = re.findall(r"^mycirrus (.*)$", README, re.MULTILINE)

    assert len(lines) > 5
    for line in lines:
        words = shlex.split(line.partition(" | ")[0], comments=True)
        assert parse(words).command == words[0]


def test_the_numbers_that_the_readme_quotes_are_those_that_were_measured() -> None:
    """Three of them, to the letter."""
    results = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^- (.*)$", results.partition("Client and server")[0], re.MULTILINE)

    assert len(quoted) == 3
    for line in quoted:
        assert f"- {line}\n" in README


def test_the_tree_of_errors_is_that_of_the_code() -> None:
    """Drawn once in the module, shown in the README."""
    tree = (errors.__doc__ or "").partition("CirrusError\n")[2].partition("\n\n")[0]

    assert tree in README


def test_the_numbers_of_the_retry_table_are_the_policys() -> None:
    """Each in its row."""
    policy = RetryPolicy()
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|", README, re.MULTILINE))

    assert rows["attempts"] == str(policy.max_attempts)
    assert rows["one call in all"].startswith(f"{policy.total_timeout:.0f} s")
    assert f"`Retry-After` over {policy.max_retry_after:.0f} s, or over what is left" in rows
    ladder = [policy.throttle_base * factor for factor in (0.5, 1, 1, 2, 2, 4)]
    assert rows[
        "429 without it"
    ] == "{:.0f} to {:.0f}, {:.0f} to {:.0f}, {:.0f} to {:.0f} s".format(*ladder)
    steps = [policy.backoff_base * factor for factor in (1, 2, 4)]
    assert rows["anything else"] == "up to {:g}, {:g}, {:g} s".format(*steps)


def test_the_exit_codes_of_the_readme_are_those_of_the_check() -> None:
    """With the same numbers; the words may differ."""
    rows = re.findall(r"^\| (\d) \| ", README, re.MULTILINE)

    assert rows == re.findall(r"^  (\d)  ", EXIT_CODES, re.MULTILINE) == ["0", "1", "2", "3"]


def test_every_make_target_that_the_readme_names_is_there() -> None:
    """And every file it links to."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE)):
        assert f"\n{target}:" in makefile, target
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", README):
        assert (ROOT / link).exists(), link
