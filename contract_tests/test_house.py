"""Who may import whom, and what the packages show."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import cirrus_ext

from .contract import ROOT

HAND_WRITTEN = sorted((ROOT / "cirrus_ext").glob("*.py"))
GENERATED = sorted((ROOT / "generated" / "cirrus_client").rglob("*.py"))

# Inside cirrus_ext: each module, and those of ours that it may import.
ARROWS = {
    "__init__": {"client", "errors", "ranges", "records", "retry"},
    "__main__": {"cli"},
    "answers": {"call", "errors"},
    "call": {"errors", "pace", "retry", "settings"},
    "client": {"call", "errors", "http", "ranges", "records", "retry", "settings"},
    "errors": set(),
    "http": {"__init__", "answers", "call", "errors", "pace", "retry", "settings", "wire"},
    "pace": set(),
    "ranges": {"errors"},
    "records": {"http", "ranges"},
    "retry": {"errors"},
    "settings": {"errors", "retry"},
    "wire": {"call"},
}


COMMAND = sorted((ROOT / "cirrus_ext" / "cli").rglob("*.py"))

# Inside the command: each module, those of it that it may import, and those of cirrus_ext.
COMMAND_ARROWS: dict[str, tuple[set[str], set[str]]] = {
    "cli": ({"arguments", "exits", "speech"}, {"errors"}),
    "arguments": ({"exits"}, {""}),
    "bar": ({"console", "progress"}, {"retry"}),
    "completion": ({"arguments", "exits"}, set()),
    "console": (set(), set()),
    "doctor": (
        {"exits", "keys", "query", "words"},
        {"client", "errors", "ranges", "retry", "settings"},
    ),
    "exits": (set(), {"errors"}),
    "fetch": (
        {"keys", "progress", "query", "speech", "words"},
        {"client", "ranges", "retry", "settings"},
    ),
    "formats": ({"exits", "table"}, {"records"}),
    "keys": ({"exits", "speech"}, {"settings"}),
    "log": (
        {"exits", "fetch", "formats", "output", "query", "resume", "words"},
        {"errors", "ranges", "settings"},
    ),
    "output": ({"exits"}, set()),
    "progress": ({"bar"}, {"retry"}),
    "query": ({"exits", "speech"}, {"errors", "ranges"}),
    "report": (
        {"exits", "fetch", "output", "query", "speech", "words", "report.page", "report.summary"},
        {""},
    ),
    "report.drawing": ({"report.summary"}, set()),
    "report.page": (
        {"formats", "words", "report.drawing", "report.summary", "report.texts"},
        {"records"},
    ),
    "report.summary": ({"words"}, set()),
    "report.texts": (set(), set()),
    "resume": ({"exits", "fetch", "formats", "query"}, set()),
    "speech": (set(), set()),
    "table": ({"console", "formats", "words"}, set()),
    "words": (set(), set()),
}
# What is no part of Python, and which modules may import it. The rest need not wait for it.
EXTRAS = {
    "jinja2": {"report.page"},
    "markupsafe": {"report.page"},
    "matplotlib": {"report.drawing"},
    "pyarrow": {"formats"},
    "rich": {"bar", "console", "table"},
    "shtab": {"completion"},
}


def name_of(path: Path) -> str:
    """A module of the command: ``report.page``; the command itself is ``cli``."""
    parts = path.relative_to(ROOT / "cirrus_ext" / "cli").with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "cli"


def imports_of(path: Path, *, types_too: bool = True) -> Iterator[str]:
    """The modules that a file imports, in full; relative ones with their dots."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in for_types and not types_too:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


@pytest.mark.parametrize("path", HAND_WRITTEN, ids=lambda path: path.stem)
def test_the_arrows_inside_cirrus_ext_point_one_way(path: Path) -> None:
    """Imports for types alone do not count: they are not there at run time."""
    types_too = path.stem == "__init__"
    ours = {
        name.lstrip(".") or "__init__"
        for name in imports_of(path, types_too=types_too)
        if name.startswith(".")
    }

    assert ours <= ARROWS[path.stem]


@pytest.mark.parametrize("path", HAND_WRITTEN, ids=lambda path: path.stem)
def test_one_module_imports_httpx_and_two_what_is_generated(path: Path) -> None:
    """The first may be exchanged one day; of the second, the builder and the model are used."""
    roots = {name.partition(".")[0] for name in imports_of(path, types_too=False)}

    assert ("httpx" in roots) == (path.stem == "http")
    assert ("cirrus_client" in roots) == (path.stem in {"client", "records"})
    assert ("httpcore" in roots) == (path.stem == "wire")
    assert "contract_tests" not in roots


@pytest.mark.parametrize("path", COMMAND, ids=name_of)
def test_the_arrows_inside_the_command_point_one_way(path: Path) -> None:
    """And none of them leads to httpx, or to an extra where it would have to be waited for."""
    name, package = name_of(path), "cirrus_ext.cli"
    here = f".{name.rpartition('.')[0]}" if "." in name else ""
    if path.name == "__init__.py" and name != "cli":
        here = f".{name}"
    absolute = {
        f"{package}{here}{module}" if module.startswith(".") else module
        for module in imports_of(path, types_too=False)
    }
    own = {
        module.removeprefix(f"{package}.")
        for module in absolute
        if module.startswith(f"{package}.")
    }
    of_the_sdk = {
        module.removeprefix("cirrus_ext").removeprefix(".")
        for module in absolute
        if module.partition(".")[0] == "cirrus_ext" and not module.startswith(f"{package}.")
    }
    foreign = {module.partition(".")[0] for module in absolute} - {"cirrus_ext"}
    foreign -= set(sys.stdlib_module_names)

    may, may_of_the_sdk = COMMAND_ARROWS[name]
    assert own <= may
    assert of_the_sdk <= may_of_the_sdk
    assert foreign == {extra for extra, homes in EXTRAS.items() if name in homes}


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_generated_client_imports_nothing_of_ours(path: Path) -> None:
    """It can be used by itself."""
    roots = {name.partition(".")[0] for name in imports_of(path)}

    assert not roots & {"cirrus_ext", "contract_tests"}


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
    assert dir(cirrus_ext) == names
    for name in names:
        assert getattr(cirrus_ext, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        cirrus_ext.Nothing  # noqa: B018 - that is the point


def test_importing_the_package_does_not_import_httpx() -> None:
    """``mycirrus --help`` does not wait for it."""
    loaded = run("import cirrus_ext.cli, sys; print('httpx' in sys.modules)")

    assert loaded == "False"


ALLOWED = {
    *("attr", "attrs", "httpx", "httpcore", "h11", "anyio", "idna", "certifi", "sniffio"),
    *("typing_extensions", "cirrus_client", "cirrus_ext", "sitecustomize"),
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


PROGRAMS = ("demo", "live", "standin.__main__", "spec_diff.__main__")


def test_the_programs_of_the_extra_contract_need_nothing_of_the_extra_dev() -> None:
    """``make demo`` and ``make contract-live`` install the smaller one only."""
    loaded = run(
        f"import sys; {'; '.join(f'import contract_tests.{name}' for name in PROGRAMS)};"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    ).split()

    assert not {"hypothesis", "pytest", "respx", "schemathesis", "trustme"} & set(loaded)


def test_the_command_tells_its_version() -> None:
    """As ``mycirrus`` and as ``python -m cirrus_ext``."""
    command = Path(sys.executable).with_name("mycirrus")
    for words in ([str(command)], [sys.executable, "-m", "cirrus_ext"]):
        done = subprocess.run(
            [*words, "--version"], capture_output=True, text=True, check=True, timeout=60
        )
        assert done.stdout == f"mycirrus {cirrus_ext.__version__}\n"
