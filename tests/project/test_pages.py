"""README and docs: their programs run, their links have targets, their numbers are the code's."""

import re
import runpy
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from cirrus_ext import RetryPolicy, errors
from mycirrus_cli import exits
from mycirrus_cli.arguments import parse
from mycirrus_cli.main import main
from mycirrus_contract.live import acceptance, arguments
from mycirrus_contract.standin.adapters import Standin, serve
from mycirrus_contract.standin.rules import DEMO_KEY
from tests.support.command import mycirrus
from tests.support.paths import ROOT
from tests.support.windows import not_on_windows

REFERENCE = "docs/cli.md"
# Of each page, how many blocks a test cannot run. Each has a comment before it that says why.
NOT_RUN = {
    "README.md": 3,
    "docs/archive.md": 3,
    "docs/command.md": 3,
    "docs/contract-checks.md": 3,
    "docs/contributing.md": 2,
    "docs/histories.md": 0,
    "docs/many-accounts.md": 1,
    "docs/packaging.md": 1,
    "docs/retries-and-errors.md": 0,
    "docs/vendor-changes.md": 1,
}
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")]
}
README = PAGES["README.md"]


@dataclass(frozen=True)
class Block:
    page: str
    reason: str | None
    language: str
    code: str


FENCED = re.compile(
    r"^(?:<!-- not run: (?P<reason>[^\n]+) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
BLOCKS = [
    Block(page, match["reason"], match["language"], match["code"])
    for page, text in PAGES.items()
    for match in FENCED.finditer(text)
]


# --- examples

(QUOTED,) = re.findall(
    r"^This program prints `(.*)`\.$", PAGES["docs/retries-and-errors.md"], re.MULTILINE
)
# What the stand-in does wrong to each program, by the number of the request, and what it prints.
EXAMPLES: dict[str, tuple[dict[int, str], str]] = {
    "archive_frame": ({}, r"QT123456 +\d\d 20\d\d-"),
    "catch_errors": ({}, rf"^{re.escape(QUOTED)}\n$"),
    "data_frame": ({}, r"QT123456 +39 "),
    "history": ({}, r"QT123456 2022-06-07 11:18:42.814000\+00:00 Quantum Demo Installed and work"),
    "history_async": ({}, "39 records"),
    "one_request": ({}, "1 items"),
    "process_pool": ({}, r"largest offset: 0\.\d\d dB"),
    "raw_client": ({}, "200 application/json"),
    "resume": ({3: "429-wait-1h"}, r"12 requests\n(QT123456 20.*\n){6}(QT234567 20.*\n){6}$"),
    "retry_policy": ({1: "503-html"}, r"RetryEvent\(attempt=1, reason='503 Service Unavailable'"),
}
NEEDS_AN_ARCHIVE = {"archive_frame"}
IN_A_PROCESS = {"process_pool"}  # its workers import it as __main__


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Standin, str]]:
    """A stand-in for all examples, and its address."""
    standin = Standin()
    with serve(standin) as base_url:
        yield standin, base_url


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_prints_its_result(
    name: str,
    server: tuple[Standin, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path, (faults, output) = ROOT / "examples" / f"{name}.py", EXAMPLES[name]
    standin, base_url = server
    standin.script = {len(standin.requests) + number: fault for number, fault in faults.items()}
    monkeypatch.setenv("MYCIRRUS_BASE_URL", base_url)
    monkeypatch.setenv("MYCIRRUS_API_KEY", DEMO_KEY)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    if name in IN_A_PROCESS:
        subprocess.run([sys.executable, str(path)], check=True, timeout=60)
    else:
        monkeypatch.chdir(tmp_path)
        if name in NEEDS_AN_ARCHIVE:
            main(["sync", "fleet.db", "QT123456", "--last", "2y", "--quiet"])
        runpy.run_path(str(path), run_name="__main__")

    shown = capfd.readouterr()
    assert re.search(output, shown.out)
    assert shown.err == ""


def test_every_example_has_an_output_that_is_tested() -> None:
    # The demo is tested with the other programs of the Makefile, the tests with the pytest plugin,
    # many accounts in tests/slow.
    names = {path.stem for path in ROOT.glob("examples/*.py")}
    assert names == {*EXAMPLES, "__init__", "demo", "many_accounts", "test_standin"}


def test_every_program_of_a_page_is_an_example() -> None:
    texts = {path.read_text(encoding="utf-8") for path in ROOT.glob("examples/*.py")}
    programs = [block for block in BLOCKS if block.language == "python"]

    assert [block for block in programs if block.code not in texts] == []
    assert len(programs) == len(EXAMPLES) + 1  # test_standin


# --- other blocks


def commands(page: str) -> str:
    """The shell commands of a page that a test can run."""
    return "".join(
        block.code
        for block in BLOCKS
        if block.page == page and block.language == "sh" and block.reason is None
    )


@not_on_windows("some commands need a POSIX shell")
@pytest.mark.parametrize("page", [page for page in NOT_RUN if commands(page)])
def test_the_commands_of_a_page_run_one_after_the_other(page: str, tmp_path: Path) -> None:
    for line in commands(page).splitlines():
        words = shlex.split(line.partition(" | ")[0], comments=True)
        if words[0] == "mycirrus":
            done = mycirrus(*words[1:], cwd=tmp_path)
        else:
            done = subprocess.run(line, shell=True, cwd=tmp_path, text=True, check=False)  # noqa: S602
        assert done.returncode == 0, (line, done.stderr)


def test_every_block_is_run_or_says_why_not() -> None:
    assert set(PAGES) == {*NOT_RUN, REFERENCE}
    assert {block.language for block in BLOCKS if block.page != REFERENCE} == {
        *("python", "sh"),
        "text",  # nothing to run
        "yaml",  # see below, and test_workflows.py
    }
    for page, count in NOT_RUN.items():
        assert sum(block.page == page and block.reason is not None for block in BLOCKS) == count
        assert len(re.findall(r"^```", PAGES[page], re.MULTILINE)) == 2 * sum(
            block.page == page for block in BLOCKS
        )


def test_the_accepted_drift_of_a_page_is_accepted(tmp_path: Path) -> None:
    (block,) = (one for one in BLOCKS if one.language == "yaml" and "promise:" in one.code)
    path = tmp_path / "accepted.yaml"
    path.write_text(block.code, encoding="utf-8")

    assert len(acceptance.load(path, date(2026, 12, 1))) == 1


def test_every_line_with_the_command_has_options_that_exist() -> None:
    lines = [
        line
        for block in BLOCKS
        if block.language == "sh"
        for line in re.findall(r"^(?:.*/)?mycirrus (.*)$", block.code, re.MULTILINE)
    ]

    assert len(lines) > 5
    for line in lines:
        words = shlex.split(line.partition(" | ")[0], comments=True)
        assert parse(words).command == words[0]


# --- links


def prose(text: str) -> str:
    return FENCED.sub("", text)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize(
    "page", [*PAGES, "CHANGELOG.md", "SECURITY.md", "generated/README.md", "benchmarks/RESULTS.md"]
)
def test_every_link_leads_to_a_file_and_a_heading(page: str) -> None:
    here = ROOT / page
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", prose(here.read_text(encoding="utf-8"))):
        name, _, anchor = link.partition("#")
        target = here.parent / name if name else here
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


def test_every_page_is_linked_from_the_readme() -> None:
    links = set(re.findall(r"\]\(([^)]+)\)", README))

    assert [page for page in PAGES if page != "README.md" and page not in links] == []


def test_every_make_target_that_a_page_or_a_workflow_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    workflows = [path.read_text("utf-8") for path in ROOT.glob(".github/workflows/*.yml")]
    targets = {
        target
        for text in [*PAGES.values(), *workflows]
        for target in re.findall(r"(?:^|`|; |&& |- run: )make ([a-z-]+)", text, re.MULTILINE)
    }

    assert {"check", "slow", "fuzz"} <= targets
    assert [target for target in targets if f"\n{target}:" not in makefile] == []


# --- numbers and names


def rows(page: str) -> dict[str, str]:
    """The first two columns of the tables of a page."""
    return dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|", PAGES[page], re.MULTILINE))


def test_the_readme_is_short_and_its_first_program_is_whole_by_line_15() -> None:
    lines = README.splitlines()

    assert len(lines) <= 130
    assert lines.index("```", lines.index("```python")) < 15


def test_the_tree_of_errors_is_that_of_the_code() -> None:
    tree = (errors.__doc__ or "").partition("CirrusError\n")[2].partition("\n\n")[0]

    assert f"CirrusError\n{tree}\n" in README


def test_the_costs_that_a_page_quotes_are_those_that_were_measured() -> None:
    results = (ROOT / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^- .*$", results.partition("Client and server")[0], re.MULTILINE)

    assert len(quoted) == 3
    assert [line for line in quoted if f"{line}\n" not in PAGES["docs/histories.md"]] == []


def test_the_numbers_of_the_retry_table_are_those_of_the_policy() -> None:
    policy, table = RetryPolicy(), rows("docs/retries-and-errors.md")

    assert table["attempts"] == str(policy.max_attempts)
    assert table["one call in all"].startswith(f"{policy.total_timeout:.0f} s")
    assert f"`Retry-After` over {policy.max_retry_after:.0f} s, or over the time left" in table
    throttled = [policy.throttle_base * factor for factor in (0.5, 1, 1, 2, 2, 4)]
    assert table[
        "429 without it"
    ] == "{:.0f} to {:.0f}, {:.0f} to {:.0f}, {:.0f} to {:.0f} s".format(*throttled)
    waits = [policy.backoff_base * factor for factor in (1, 2, 4)]
    assert table["other failures"] == "up to {:g}, {:g}, {:g} s".format(*waits)


def test_the_exit_codes_of_the_pages_are_those_of_the_programs() -> None:
    of_the_check = re.findall(r"^  (\d)  ", arguments.EXIT_CODES, re.MULTILINE)

    assert [code for code in rows("docs/contract-checks.md") if code.isdecimal()] == of_the_check
    assert [code for code in rows("docs/command.md") if code.isdecimal()] == [
        str(code) for code in exits.EXIT_CODES
    ]
