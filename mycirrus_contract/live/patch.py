"""``questions.patch``: what a run observed, for a file of open questions."""

import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from cirrus_ext import ConfigurationError
from mycirrus_contract.model import QUESTIONS_FILE, tolerant

from .questions import OpenQuestion

ID = re.compile(r"""  - id: *["']?(?P<id>[\w-]+)""")


@dataclass(frozen=True)
class QuestionsFile:
    """The file that a patch is for.

    Attributes:
        name: Its path, as ``git apply`` needs it.
        text: What is in it.
        is_new: Whether the patch creates it.
    """

    name: str = "openapi/questions.yaml"
    text: str = QUESTIONS_FILE.read_text(encoding="utf-8")
    is_new: bool = False

    @property
    def title(self) -> str:
        """Its path, and in a folder that does not have it, where it is."""
        is_here = self.is_new or Path(self.name).is_file()
        return self.name if is_here else f"{self.name} of mycirrus-sdk"

    @classmethod
    def at(cls, path: Path) -> "QuestionsFile":
        """Read a file of the user.

        Raises:
            ConfigurationError: It cannot be read, or ``git apply`` would not find it.
        """
        if path.is_absolute() or ".." in path.parts:
            raise ConfigurationError(f"--questions must be a path below this folder: {path}")
        try:
            return cls(path.as_posix(), path.read_bytes().decode())
        except FileNotFoundError:
            return cls(path.as_posix(), is_new=True)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"--questions {path} cannot be read: {error}") from error


OUR_QUESTIONS = QuestionsFile()


def patch(
    questions: Iterable[OpenQuestion], on: date, server: str, file: QuestionsFile = OUR_QUESTIONS
) -> str:
    """A patch that writes what was observed into a file of open questions.

    Args:
        questions: The patch has those that were answered.
        on: The day of the run, in UTC.
        server: The base URL.
        file: What to change.

    Returns:
        A unified diff for ``git apply``, after a warning if another server than the API answered;
        empty if no question was answered.
    """
    answers = {one.name: one.observed.answer for one in questions if one.observed is not None}
    if not answers:
        return ""
    new, current = [], ""
    for line in file.text.splitlines(keepends=True):
        if found := ID.match(line):
            current = found["id"]
        end = line[len(line.rstrip("\r\n")) :]
        if line.startswith("    observed: ") and current in answers:
            answer = json.dumps(answers[current], ensure_ascii=False)
            line = f'    observed: {{answer: {answer}, date: "{on}"}}{end}'  # noqa: PLW2901 - rewritten
        new.append(line)
    old = [] if file.is_new else file.text.splitlines(keepends=True)
    before = "/dev/null" if file.is_new else f"a/{file.name}"
    lines = list(difflib.unified_diff(old, new, before, f"b/{file.name}"))
    if lines and server != tolerant().base_url:
        lines.insert(0, f"Not the API's own answers, but those of {server}: not to be applied.\n\n")
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
