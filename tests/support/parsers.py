"""The command line, taken apart."""

import argparse
from collections.abc import Iterator

from mycirrus_cli.arguments import parser


def _parsers() -> Iterator[argparse.ArgumentParser]:
    whole = parser()
    yield whole
    for action in whole._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.values()


# The command and those below it, by what they are called as.
PARSERS = {one.prog: one for one in _parsers()}
