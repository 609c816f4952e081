"""What ``mycirrus sync`` has to do with an archive."""

from argparse import Namespace
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from cirrus_ext import __version__
from cirrus_ext.ranges import wire_time
from cirrus_ext.settings import find_base_url
from mycirrus_cli.echo import echo
from mycirrus_cli.exits import CommandError
from mycirrus_cli.query import serials_of, start_of

from .ranges import text_of, time_of
from .state import Run, State


@dataclass(frozen=True)
class Orders:
    """The arguments of the command.

    Attributes:
        path: The archive.
        serials: The instruments that are named.
        start: The start of new instruments.
        tolerance: How much earlier it may be than that of an instrument that is known. --last
            means another start each time: the clock was set back, or a month is shorter.
        retire: Instruments to stop requesting.
        server: The address of the API.
        verify: Whether to read everything again.
        now: The time.
    """

    path: Path
    serials: list[str]
    start: datetime | None
    tolerance: timedelta
    retire: list[str]
    server: str
    verify: bool
    now: datetime

    @classmethod
    def of(cls, options: Namespace, path: Path, now: datetime) -> Self:
        """Read them from the command line.

        Raises:
            CommandError: They are invalid, or contradict each other.
        """
        start = start_of(options, now.replace(microsecond=0))
        if start is not None and start >= now:
            raise CommandError(f"--start must be before now: {options.start}")
        serials, retire = serials_of(options), list(dict.fromkeys(options.retire))
        if both := [serial for serial in retire if serial in serials]:
            raise CommandError(f"--retire {both[0]}: is also named to be requested")
        server = find_base_url(options.base_url)
        tolerance = timedelta(days=0 if options.last is None else 1)
        return cls(path, serials, start, tolerance, retire, server, options.verify, now)

    def added_to(self, state: State) -> dict[str, str]:
        """Return the start of each instrument that is new, or was retired.

        Raises:
            CommandError: The archive contradicts the arguments.
        """
        known = state.instruments
        if state.runs and state.runs[-1].server != self.server:
            raise CommandError(
                f"{self.path}: is an archive of {state.runs[-1].server}, not of {self.server}: "
                "check --base-url and MYCIRRUS_BASE_URL"
            )
        if known and all(text_of(self.now) <= one.start for one in known.values()):
            raise CommandError(
                f"the clock is at {wire_time(self.now)}, before all that {self.path} is to have: "
                "set the clock"
            )
        if not known and not self.serials:
            raise CommandError(f"{self.path}: is new: give serial numbers, or --instruments-file")
        for serial in self.retire:
            if serial not in known or known[serial].is_retired:
                raise CommandError(f"--retire {serial}: {self.path} does not request it")
        new = [serial for serial in self.serials if serial not in known]
        if new and self.start is None:
            raise CommandError(f"{new[0]} is new in {self.path}: give --start TIME or --last SPAN")
        start = "" if self.start is None else text_of(self.start)
        latest = "" if self.start is None else text_of(self.start + self.tolerance)
        for serial in self.serials or known:
            if start and serial in known and latest < known[serial].start:
                raise CommandError(
                    f"{self.path}: has {serial} from {wire_time(time_of(known[serial].start))} on: "
                    "begin another archive for an earlier start"
                )
        retired = {serial for serial in self.serials if serial in known} - set(state.active)
        return {
            serial: known[serial].start if serial in retired else start
            for serial in self.serials
            if serial in retired or serial in new
        }

    def run_after(self, state: State) -> Run | None:
        """Return the run that begins; None if an interrupted one is continued."""
        if state.interrupted(self.now, verify=self.verify):
            return None
        until = text_of(self.now.replace(microsecond=0))
        return Run(
            begun=state.number + 1,
            id=len(state.runs) + 1,
            started=text_of(self.now),
            until=until,
            server=self.server,
            version=__version__,
            verify=int(self.verify),
        )

    def warn_of_the_clock(self, state: State) -> None:
        """Print a warning if the clock was set back."""
        if state.runs and text_of(self.now) < state.runs[-1].started:
            before = wire_time(time_of(state.runs[-1].started))
            echo(f"warning: the clock is at {wire_time(self.now)}, and was at {before}")
