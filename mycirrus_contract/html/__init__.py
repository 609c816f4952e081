"""What the HTML reports share: a base template with one style, and safe text. Needs Jinja alone."""

from collections.abc import Callable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mycirrus_contract.text import plain


def environment(folder: Path, show: Callable[[object], str] = plain) -> Environment:
    """Return the templates of a folder, which may extend ``base.html.j2``.

    Args:
        folder: Where they are.
        show: Makes the text of each value; the text is escaped afterwards.
    """

    def finalize(value: object) -> object:
        return value if hasattr(value, "__html__") else show(value)  # what a macro returns is HTML

    return Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
