"""The parsers of the command and of its subcommands, by their names on the command line."""

from mycirrus_cli.contract import whole_parser

_whole = whole_parser()
PARSERS = {one.prog: one for one in (_whole, *_whole.commands.values())}
