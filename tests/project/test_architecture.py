"""What the packages show, and what they load."""

import subprocess
import sys
from pathlib import Path

import cirrus_ext


def run(code: str) -> str:
    """What a fresh Python prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def test_all_public_names_are_sorted_there_and_no_more() -> None:
    """And each says that it lives in a module of ours."""
    names = cirrus_ext.__all__

    assert names == sorted(names)
    for name in names:
        assert getattr(cirrus_ext, name) is not None


ALLOWED = {
    *("attr", "attrs", "httpx", "httpcore", "h11", "anyio", "idna", "certifi", "sniffio"),
    *("typing_extensions", "mycirrus_client", "cirrus_ext", "sitecustomize"),
    # httpx looks for its own command line, if what that needs is there
    *("click", "rich", "pygments", "markdown_it", "mdurl"),
    # anyio looks for its debug hook
    "_pytest",
}


def test_the_sdk_needs_nothing_but_httpx_and_attrs() -> None:
    """Every module that a use of all names loads is theirs, Python's or ours."""
    loaded = run(
        "import cirrus_ext, sys;"
        "[getattr(cirrus_ext, name) for name in cirrus_ext.__all__];"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    ).split()
    foreign = set(loaded) - ALLOWED - set(sys.stdlib_module_names)

    assert not {name for name in foreign if not name.startswith(("_", "__"))}


PROGRAMS = (
    "examples.demo",
    "mycirrus_contract.live.command",
    "mycirrus_contract.standin.command",
)


def test_the_programs_of_the_extra_contract_need_nothing_of_the_extra_dev() -> None:
    """``make demo`` and ``make contract-live`` install the smaller one only."""
    loaded = run(
        f"import sys; {'; '.join(f'import {name}' for name in PROGRAMS)};"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    ).split()

    assert not {"hypothesis", "pytest", "respx", "schemathesis", "trustme"} & set(loaded)


def test_the_command_tells_its_version() -> None:
    """As ``mycirrus`` and as ``python -m mycirrus_cli``."""
    command = Path(sys.executable).with_name("mycirrus")
    for words in ([str(command)], [sys.executable, "-m", "mycirrus_cli"]):
        done = subprocess.run(
            [*words, "--version"], capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout == f"mycirrus {cirrus_ext.__version__}\n"
