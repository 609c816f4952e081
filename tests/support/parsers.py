"""The parsers of the command line, by what they are called as: the command and those below it."""

from mycirrus_cli.contract import whole_parser

_whole = whole_parser()
PARSERS = {one.prog: one for one in (_whole, *_whole.commands.values())}
