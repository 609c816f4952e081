"""What the packages import."""

import subprocess
import sys


def packages_of(code: str) -> set[str]:
    """The top-level packages that a new process has loaded after it has run the code."""
    code = f"import sys; {code}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.check_output([sys.executable, "-c", code], text=True, timeout=60).split())


ALLOWED = {
    *("attr", "attrs", "httpx", "httpcore", "h11", "anyio", "idna", "certifi", "sniffio"),
    *("typing_extensions", "mycirrus_client", "cirrus_ext", "sitecustomize"),
    # httpx looks for its own command line, if what that needs is there
    *("click", "rich", "pygments", "markdown_it", "mdurl"),
    # anyio looks for its debug hook
    "_pytest",
}


def test_the_sdk_loads_nothing_but_httpx_attrs_and_python() -> None:
    loaded = packages_of("import cirrus_ext; [getattr(cirrus_ext, n) for n in cirrus_ext.__all__]")
    foreign = loaded - ALLOWED - set(sys.stdlib_module_names)

    assert {name for name in foreign if not name.startswith("_")} == set()


PROGRAMS = (
    "examples.demo",
    "mycirrus_contract.live.command",
    "mycirrus_contract.standin.command",
)


def test_the_programs_of_the_extra_contract_load_nothing_that_only_developers_install() -> None:
    loaded = packages_of(f"import {', '.join(PROGRAMS)}")

    assert not {"hypothesis", "pytest", "respx", "schemathesis", "trustme"} & loaded
