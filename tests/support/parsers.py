"""The parsers of the command line, by what they are called as: the command and those below it."""

from mycirrus_cli.arguments import parser

_whole = parser()
PARSERS = {one.prog: one for one in (_whole, *_whole.commands.values())}
