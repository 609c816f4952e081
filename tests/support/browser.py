"""A browser without a window, for what only a browser can tell of a page."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
# No name is looked up, and what needs none goes to a port of this machine where nobody listens.
ALONE = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--hide-scrollbars",
    "--proxy-server=127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


def found() -> str | None:
    """The browser of this machine; None if there is none."""
    return next((path for name in CHROMIUM if (path := shutil.which(name))), None)


def without_a_network() -> list[str]:
    """What to begin a command with, so that it has no network; nothing where that is forbidden.

    The guard of the tests is Python's, and a browser is not. Its options keep it from sending
    anything, though it still asks the kernel for a route to an address on the internet.
    """
    prefix = ["unshare", "--map-root-user", "--net", "--"]
    if shutil.which("unshare") is None:
        return []
    tried = subprocess.run([*prefix, "true"], check=False, capture_output=True, timeout=10)
    return [] if tried.returncode else prefix


def dom_of(browser: str, file: Path) -> str:
    """What a browser makes of a file, which it and all its processes have 30 s for."""
    command = [*without_a_network(), browser, *ALONE, "--dump-dom"]
    with subprocess.Popen(
        [*command, f"--user-data-dir={file.parent / 'profile'}", file.as_uri()],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        try:
            return process.communicate(timeout=30)[0]
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
