"""Write ``docs/cli.md`` from the parser of the command, or check that it is so written.

Used by ``make docs``. argparse's own help is not used: its bytes differ between Python versions,
with the width of the terminal, and with its colours.
"""

import argparse
import difflib
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mycirrus_cli.arguments import KEY, RANGE
from mycirrus_cli.contract import whole_parser
from mycirrus_cli.exits import EXIT_CODES, exit_codes

FILE = Path("docs", "cli.md")
WIDTH = 80

# What every command would say again: a section of its own, and the links to it.
COMMON = {
    RANGE: ("TIME and SPAN", RANGE),
    KEY: ("The API key", KEY),
    exit_codes(): ("Exit codes", ""),
}

# An option; a name of the environment; a placeholder, and the name of a file made of it.
CODE = re.compile(
    r"(?<![\w-])--?[a-z][a-z-]*\b|\b[A-Z]+(?:_[A-Z]+)+\b"
    r"|\b(?:DIR|FILE|OUTPUT|SERIAL|SPAN|TIME|URL)\b(?:\.[a-z]+\b)?"
)
MARKUP = re.compile(r"[\\`*_<>|\[\]]")


def main(arguments: list[str] | None = None) -> int:
    """Write, or check.

    Returns:
        The exit code: 0 done, or nothing differs; 1 something differs.
    """
    command = argparse.ArgumentParser(description="Write the reference of the command.")
    command.add_argument("--check", action="store_true", help="write nothing, show what differs")
    command.add_argument("--root", type=Path, default=Path(__file__).parents[1], help="the project")
    options = command.parse_args(arguments)
    path, fresh = options.root / FILE, reference()
    if options.check:
        return report(path.read_text(encoding="utf-8") if path.exists() else "", fresh)
    path.parent.mkdir(exist_ok=True)
    path.write_text(fresh, encoding="utf-8", newline="\n")
    return 0


def report(have: str, want: str) -> int:
    """Print what differs, and what to do about it."""
    lines = difflib.unified_diff(
        have.splitlines(),
        want.splitlines(),
        FILE.as_posix(),
        "what the parser generates",
        lineterm="",
    )
    for line in lines:
        print(line)
    if have == want:
        return 0
    print(f"\n{FILE.as_posix()} is not what the parser generates: run make docs.")
    return 1


def reference() -> str:
    """The whole page."""
    command = whole_parser()
    sections = [
        "# The `mycirrus` command",
        "<!-- Written by `make docs` from mycirrus_cli/arguments.py: edit that. -->",
        *section(command),
    ]
    for below in commands(command).choices.values():
        sections += [f"## {below.prog}", *section(below)]
    for title, text in COMMON.values():
        sections += [f"## {title}", marked(text) if text else table_of(EXIT_CODES)]
    return "\n\n".join(sections) + "\n"


def section(command: argparse.ArgumentParser) -> Iterator[str]:
    """What a command does, how it is called, and with what."""
    yield marked(command.description or "")
    yield block(usage(command))
    for group in command._action_groups:
        if group._group_actions:
            yield table(group)
    yield from ending(command.epilog or "")


def commands(
    command: argparse.ArgumentParser,
) -> "argparse._SubParsersAction[argparse.ArgumentParser]":
    """The commands below the command."""
    return next(one for one in command._actions if isinstance(one, argparse._SubParsersAction))


def usage(command: argparse.ArgumentParser) -> str:
    """How a command is called, in lines that are not too long."""
    words = [command.prog, *parts(command)]
    whole = " ".join(word.replace(" ", "\0") for word in words)
    lines = textwrap.wrap(
        whole,
        WIDTH,
        subsequent_indent=" " * (len(command.prog) + 1),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines).replace("\0", " ")


def parts(command: argparse.ArgumentParser) -> Iterator[str]:
    """Each argument as the usage shows it; of those that exclude each other one for all."""
    groups = {
        action: group
        for group in command._mutually_exclusive_groups
        for action in group._group_actions
    }
    for action in command._actions:
        group = groups.get(action)
        if group is None:
            yield called(action) if is_needed(action) else f"[{called(action)}]"
        elif action is group._group_actions[0]:
            either = " | ".join(map(called, group._group_actions))
            yield f"({either})" if group.required else f"[{either}]"


def is_needed(action: argparse.Action) -> bool:
    """Whether a command cannot be called without it."""
    if action.option_strings:
        return action.required
    return action.nargs not in {"?", "*"}


def called(action: argparse.Action) -> str:
    """An argument by its shortest name, with its value."""
    return " ".join(filter(None, [*action.option_strings[:1], value(action)]))


def value(action: argparse.Action) -> str:
    """What stands for the value of an argument; nothing if it takes none."""
    if action.nargs == 0:
        return ""
    shown = str(action.metavar or "{" + ",".join(map(str, action.choices or ())) + "}")
    more = {"*", "+", argparse.PARSER}
    return f"{shown} ..." if action.nargs in more else shown


def table(group: argparse._ArgumentGroup) -> str:
    """The arguments of a group, with their help."""
    return "\n".join([f"| {group.title} | |", "|---|---|", *rows(group)])


def rows(group: argparse._ArgumentGroup) -> Iterator[str]:
    """A row for each argument, or for each command."""
    for action in group._group_actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action._choices_actions:
                prog = action.choices[one.dest].prog
                yield f"| [`{one.dest}`](#{anchor(prog)}) | {marked(one.help or '')} |"
        else:
            names = [", ".join(action.option_strings), value(action)]
            yield f"| `{' '.join(filter(None, names))}` | {marked(action.help or '')} |"


def ending(epilog: str) -> Iterator[str]:
    """The examples of an epilog, and links to what all commands have in common."""
    paragraphs = epilog.split("\n\n")
    for paragraph in paragraphs:
        if paragraph not in COMMON and paragraph.startswith("exit codes:"):
            yield table_of(dict(re.findall(r"^  (\d+)  (.+)$", paragraph, re.MULTILINE)))
        elif paragraph not in COMMON:
            yield from examples(paragraph)
    titles = [title for text, (title, _) in COMMON.items() if text in paragraphs]
    if titles:
        yield "See also: " + ", ".join(f"[{title}](#{anchor(title)})" for title in titles) + "."


def examples(paragraph: str) -> Iterator[str]:
    """Lines that are indented, as a block; and what is said before them."""
    lines: list[str] = []
    for line in paragraph.splitlines():
        if line.startswith(" "):
            lines.append(line.strip())
            continue
        if lines:
            yield block("\n".join(lines), "sh")
            lines = []
        yield marked(line[:1].upper() + line[1:])
    if lines:
        yield block("\n".join(lines), "sh")


def table_of(exit_codes: Mapping[Any, str]) -> str:
    """How a run can end."""
    found = [f"| {code} | {marked(text)} |" for code, text in exit_codes.items()]
    return "\n".join(["| exit code | meaning |", "|---|---|", *found])


def block(text: str, language: str = "") -> str:
    """A text as it is."""
    return f"```{language}\n{text}\n```"


def anchor(title: str) -> str:
    """Where GitHub puts a heading."""
    return title.lower().replace(" ", "-")


def marked(text: str) -> str:
    """A text for people, on one line; what is typed looks so."""
    line, ends, shown = " ".join(text.split()), 0, ""
    for match in CODE.finditer(line):
        shown += _escaped(line[ends : match.start()]) + f"`{match[0]}`"
        ends = match.end()
    return shown + _escaped(line[ends:])


def _escaped(text: str) -> str:
    return MARKUP.sub(r"\\\g<0>", text)


if __name__ == "__main__":
    sys.exit(main())
