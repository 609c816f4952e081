"""A browser without a window, which measures HTML reports."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable
from html import escape, unescape
from pathlib import Path
from typing import Any

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
# No host name is resolved, and all connections go to a port of this machine that is closed.
OPTIONS = (
    "--headless=new",
    "--dump-dom",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
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
DARK = "(prefers-color-scheme: dark)"

MEASURE = """
const channel = value => {
  const part = value / 255;
  return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
};
const luminance = colour => {
  const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(channel);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [dark, bright] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
};
const overlap = (a, b) =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
const measure = frame => {
  const report = frame.contentDocument, style = one => frame.contentWindow.getComputedStyle(one);
  const box = one => one.getBoundingClientRect();
  const all = (what, root = report) => [...root.querySelectorAll(what)];
  const isSeen = one => box(one).width > 1 && box(one).height > 1;
  const behind = one => {
    const colour = style(one).backgroundColor;
    return colour === "rgba(0, 0, 0, 0)" ? behind(one.parentElement) : colour;
  };
  const texts = all("body *").filter(one => isSeen(one) &&
    [...one.childNodes].some(part => part.nodeType === 3 && part.data.trim()));
  const drawn = all("svg text").filter(isSeen);
  const colour = one => one.matches("text") ? style(one).fill : style(one).color;
  return {
    width: report.documentElement.clientWidth,
    needed: report.documentElement.scrollWidth,
    paper: luminance(style(report.body).backgroundColor),
    contrast: Math.min(...texts.map(one => contrast(colour(one), behind(one)))),
    stroke: Math.min(...all(".bar, .entries").map(one => contrast(style(one).stroke, behind(one)))),
    smallest: Math.min(...texts.map(one => parseFloat(style(one).fontSize))),
    left: Math.min(...drawn.map(one => box(one).left)),
    right: Math.max(...drawn.map(one => box(one).right)),
    overlaps: all("svg").flatMap(one => {
      const boxes = all("text", one).filter(isSeen).map(box);
      return boxes.filter((a, i) => boxes.slice(i + 1).some(b => overlap(a, b)));
    }).length,
    drawings: all("body svg").filter(one => one.parentElement.matches("td") && isSeen(one)).length,
    heads: all(".cards thead").filter(isSeen).length,
    scripts: report.scripts.length,
    text: report.body.innerText,
  };
};
addEventListener("load", () => {
  const measured = [...document.querySelectorAll("iframe")].map(measure);
  document.getElementById("measured").textContent = JSON.stringify(measured);
});
"""


def found() -> str | None:
    return next((path for name in CHROMIUM if (path := shutil.which(name))), None)


def measured(
    browser: str, folder: Path, reports: Iterable[tuple[str, int, bool]]
) -> list[dict[str, Any]]:
    """Measure reports with one start of a browser: each is in a frame, and a script measures it.

    Args:
        browser: The program.
        folder: For its files.
        reports: The HTML, the width of the window, and whether the window is dark.
    """
    frames = "".join(
        f'<iframe width="{width}" height="900" style="border:0" '
        f'srcdoc="{escape(html.replace(DARK, f"(min-width: {0 if is_dark else 99999}px)"))}">'
        "</iframe>"
        for html, width, is_dark in reports
    )
    file = folder / "frames.html"
    file.write_text(
        f"<!DOCTYPE html><meta charset='utf-8'><body>{frames}<pre id='measured'></pre>"
        f"<script>{MEASURE}</script></body>",
        encoding="utf-8",
    )
    shown = re.search(r'<pre id="measured">(.+?)</pre>', _dom_of(browser, file), re.DOTALL)
    assert shown is not None, "the browser ran no script"
    return list(json.loads(unescape(shown[1])))


def _dom_of(browser: str, file: Path) -> str:
    """Return the document after its scripts ran, within 60 s."""
    with subprocess.Popen(
        [browser, *OPTIONS, f"--user-data-dir={file.parent / 'profile'}", file.as_uri()],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        try:
            return process.communicate(timeout=60)[0]
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
