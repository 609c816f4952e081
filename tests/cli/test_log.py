"""``mycirrus log``: any range, any number of instruments, into any format."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import pytest

from cirrus_ext import CirrusClient
from mycirrus_cli.exits import CommandError
from mycirrus_cli.query import before, moment, span
from mycirrus_cli.times import written_time
from mycirrus_contract.standin.adapters import Standin, serve
from mycirrus_contract.standin.rules import DEMO_KEY
from tests.support.command import (
    FLEET,
    TIMEOUT,
    WINDOWS,
    YEARS,
    BlockingServer,
    mycirrus,
    refused,
    started,
)

NOON = datetime(2024, 5, 31, 12, tzinfo=UTC)


def fetched(*words: str) -> list[dict[str, str]]:
    """What the command writes as JSON."""
    done = mycirrus("log", *words, "--format", "json")
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


# Ranges and instruments


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2023-01-01", datetime(2023, 1, 1, tzinfo=UTC)),
        ("2023-01-01T00:00:00Z", datetime(2023, 1, 1, tzinfo=UTC)),
        ("2023-01-01t08:30:00.125+01:00", datetime(2023, 1, 1, 7, 30, 0, 125_000, tzinfo=UTC)),
        ("2024-02-29", datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_a_date_is_midnight_utc_and_a_time_has_its_offset(text: str, meant: datetime) -> None:
    assert moment("--start", text) == meant


@pytest.mark.parametrize(
    "text", ["2023-01-01T00:00:00", "2023-02-30", "2023", "yesterday", "01/02/2023", "", "20230101"]
)
def test_a_time_that_could_mean_two_things_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match=r"^--end must be a date such as 2023-01-01") as caught:
        moment("--end", text)

    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("90d", NOON - timedelta(days=90)),
        ("2w", NOON - timedelta(days=14)),
        ("1m", datetime(2024, 4, 30, 12, tzinfo=UTC)),
        ("3m", datetime(2024, 2, 29, 12, tzinfo=UTC)),
        ("15m", datetime(2023, 2, 28, 12, tzinfo=UTC)),
        ("18M", datetime(2022, 11, 30, 12, tzinfo=UTC)),
        ("5y", datetime(2019, 5, 31, 12, tzinfo=UTC)),
        ("2023y", datetime(1, 5, 31, 12, tzinfo=UTC)),
    ],
)
def test_a_span_is_in_days_weeks_calendar_months_or_years(text: str, start: datetime) -> None:
    """A day that a month does not have becomes its last."""
    assert before(NOON, span("--last", text)) == start


@pytest.mark.parametrize("text", ["90", "d", "0d", "-3d", "1.5y", "3 m", "1h", "", "9999999d"])
def test_a_span_without_a_known_unit_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="--last must be a number with d, w, m or y"):
        span("--last", text)


@pytest.mark.parametrize("text", ["2024y", "9999y", "999999d", "99999m"])
def test_a_span_that_leads_before_the_year_1_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="--last must not lead before 0001-01-01"):
        before(NOON, span("--last", text))


def test_the_log_of_years_and_several_instruments_is_that_of_the_sdk_in_the_same_order() -> None:
    start, end = (f"{day}T00:00:00Z" for day in YEARS[1::2])
    with CirrusClient(DEMO_KEY, transport=Standin().transport()) as client:
        records = list(client.calibration_history(FLEET, start=start, end=end))
    written = [tuple(line.values()) for line in fetched(*FLEET, *YEARS)]

    assert len(written) > 50
    assert written == [
        (one.instrument, written_time(one.time), one.user, one.message) for one in records
    ]


def test_an_entry_at_the_start_belongs_to_the_range_and_one_at_the_end_does_not() -> None:
    time = "2022-06-07T11:18:42.814Z"
    (line,) = fetched("QT123456", "--start", time, "--end", "2022-06-08")

    assert line["time"] == time
    assert fetched("QT123456", "--start", "2022-06-07", "--end", time) == []


def test_the_end_is_now_by_default() -> None:
    for words in (("--start", "2020-01-01"), ("--last", "1y")):
        before_it = datetime.now(UTC).replace(microsecond=0)
        plan = mycirrus("log", "QT1", *words, "--dry-run").stdout.splitlines()
        end = datetime.fromisoformat(plan[-1].split()[-1])

        assert before_it <= end <= datetime.now(UTC)


@pytest.mark.parametrize("source", ["arguments", "file", "stdin", "dash", "both", "scattered"])
def test_serial_numbers_come_from_arguments_a_file_or_stdin(source: str, tmp_path: Path) -> None:
    """A file may have comments, blank lines, a byte order mark and line ends of any kind."""
    text = "\ufeff# the fleet\r\n QT1 \r\n\n#QT9\nQT2\n"
    file = tmp_path / "fleet.txt"
    file.write_text(text, encoding="utf-8")
    words = {
        "arguments": ("QT1", "QT2"),
        "file": ("--instruments-file", str(file)),
        "stdin": ("--instruments-file", "-"),
        "dash": ("-",),
        "both": ("QT1", "--instruments-file", "-"),
        "scattered": ("QT1", "--quiet", "QT2"),
    }[source]
    typed = "QT2" if source == "both" else text
    done = mycirrus("log", *words, "--last", "30d", "--dry-run", typed=typed)

    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["QT1", "QT2"]


TWO = "QT1\nQT\u00e9\n"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "cp037"])
@pytest.mark.parametrize(
    "typed",
    [
        TWO.encode(),
        TWO.encode("utf-8-sig"),
        TWO.encode("utf-16"),
        b"\xfe\xff" + TWO.encode("utf-16-be"),
    ],
    ids=["utf-8", "mark", "utf-16", "utf-16-be"],
)
def test_the_encoding_of_the_terminal_does_not_matter(typed: bytes, encoding: str) -> None:
    standin = Standin()
    words = ("log", "-", "--last", "30d", "--format", "csv")
    done = mycirrus(*words, typed=typed, encoding=encoding, standin=standin)
    sent = {parse_qs(request.query)["instruments"][0] for request in standin.requests}

    assert (done.returncode, sent) == (0, {"QT1", "QT\u00e9"})


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16-le", "utf-32"])
def test_serial_numbers_in_an_unknown_encoding_are_refused(encoding: str) -> None:
    line = refused("log", "-", *YEARS, typed=TWO.encode(encoding))

    assert "--instruments-file -: must be text in UTF-8, or in UTF-16 with" in line


@pytest.mark.parametrize(
    "words", [("QT1", "--last", "30d", "--", "-X1"), ("--last", "30d", "--", "QT1", "-X1")]
)
def test_a_serial_number_after_two_dashes_may_begin_with_a_dash(words: tuple[str, ...]) -> None:
    plan = mycirrus("log", "--dry-run", *words).stdout.splitlines()

    assert [line.split()[0] for line in plan[1:]] == ["QT1", "-X1"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--last", "1y"], "no instruments: give serial numbers"),
        (["QT1", "QT1", "--last", "1y"], "QT1 is named 2 times: name each instrument once"),
        (["QT1 ", "--last", "1y"], "must not have blanks around it"),
        (["-", "--instruments-file", "x", "--last", "1y"], "either - or --instruments-file"),
        (["--instruments-file", "nowhere.txt", "--last", "1y"], "nowhere.txt: No such file"),
        (["QT1"], "no range: give --start TIME, or --last SPAN"),
        (["QT1", "--strat", "2020-01-01"], "no such option: --strat; did you mean --start?"),
        (["QT1", "--last", "1y", "--output", "log.csv.gz"], "that end with .gz; give --format"),
        (["QT1", "--last", "1y", "--start", "2020-01-01"], "not allowed with argument"),
        (["QT1", "--start", "2020-01-02", "--end", "2020-01-01"], "--start must be before --end"),
        (["QT1", "--start", "2999-01-01"], "which is now"),
        (["QT1", "--last", "1y", "--concurrency", "0"], "--concurrency: must be from 1 to 64: 0"),
        (["QT1", "--last", "1y", "--format", "xml"], "invalid choice: 'xml'"),
        (["QT1", "--last", "1y", "--format", "parquet"], "needs --output OUTPUT"),
        (["QT1", "--last", "1y", "--base-url", "nowhere"], "base_url must be an address"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_usage_is_one_line_and_no_request(words: list[str], line: str, tmp_path: Path) -> None:
    assert line in refused("log", *words, cwd=tmp_path)


@pytest.mark.parametrize("serial", ["QT123456,QT234567", "QT123456 QT234567", "QT1;QT2"])
def test_a_list_in_the_place_of_a_serial_number_causes_a_warning(serial: str) -> None:
    """It may be one serial number, since their form is not documented, or a mistake."""
    done = mycirrus("log", serial, "--last", "30d", "--dry-run")

    assert done.returncode == 0
    assert done.stderr == f"mycirrus: warning: {serial!r} is taken for one serial number\n"


# Output


@pytest.mark.parametrize("form", ["csv", "json", "ndjson"])
def test_without_output_a_format_goes_to_standard_output(form: str, tmp_path: Path) -> None:
    """The same bytes as into a file."""
    words = ("log", "QT123456", *YEARS, "--format", form)
    done = mycirrus(*words)
    mycirrus(*words, "--output", "log", cwd=tmp_path)

    assert len(done.stdout.splitlines()) > 30
    assert done.stdout.encode() == (tmp_path / "log").read_bytes()


def test_the_line_on_stderr_counts_requests_and_entries_and_names_the_file(tmp_path: Path) -> None:
    """Retries count, and instruments without an entry are named."""
    words = ("log", "QT123456", "QT000001", *YEARS, "--output", "a.csv")
    done = mycirrus(*words, cwd=tmp_path, standin=Standin(script={2: "429-wait-1"}))

    assert done.stderr == (
        "mycirrus: 9 requests, 2 instruments, 41 entries, none of QT000001; a.csv is written\n"
    )


@pytest.mark.parametrize("tty", [False, True], ids=["pipe", "terminal"])
def test_quiet_prints_nothing_but_errors(*, tty: bool, tmp_path: Path) -> None:
    words = ("log", "QT123456", *YEARS, "--output", str(tmp_path / "a.csv"), "--quiet")
    script = {2: "429-wait-1"}

    assert mycirrus(*words, tty=tty, standin=Standin(script=script)).stderr == ""
    assert mycirrus(*words, tty=tty, MYCIRRUS_API_KEY="wrong").stderr != ""


def test_ndjson_is_written_before_the_last_request() -> None:
    words = ("log", "QT123456", *YEARS, "--format", "ndjson", "--concurrency", "1")
    with (
        serve(standin := BlockingServer(after=3)) as url,
        started(*words, base_url=url) as process,
    ):
        assert process.stdout is not None
        first = process.stdout.readline()
        assert standin.reached.wait(TIMEOUT)
        answered = len(standin.requests)
        standin.released.set()
        rest = process.communicate(timeout=TIMEOUT)[0]

    assert answered == 3
    assert json.loads(first)["instrument"] == "QT123456"
    assert len(rest.splitlines()) == 40


# Time zones


def test_a_zone_shows_local_times_with_their_offsets_and_requests_the_same_range() -> None:
    """With daylight saving time."""
    words = ("log", "QT123456", *YEARS, "--time-zone")
    local = mycirrus(*words, "Europe/London", standin=(standin := Standin()), COLUMNS="120")
    utc = mycirrus(*words, "UTC", standin=(other := Standin()), COLUMNS="120")
    shown, expected = (
        [datetime.fromisoformat(time) for time in re.findall(r"\d{4}-\S+T\S+", done.stdout)]
        for done in (local, utc)
    )

    assert "Time (Europe/London)" in local.stdout
    assert "Time (UTC)" in utc.stdout
    assert len(shown) > 9
    assert shown == expected
    assert {time.utcoffset() for time in shown} == {timedelta(), timedelta(hours=1)}
    assert local.stdout.count("Z  ") == 0
    assert sorted(one.query for one in standin.requests) == sorted(
        one.query for one in other.requests
    )


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Europe/Londno", "did you mean Europe/London"),
        ("london", "did you mean Europe/London"),
        ("europe/london", "did you mean Europe/London"),
        ("New York", "did you mean America/New_York"),
        ("Europe", "give a name such as Europe/London"),
        ("../../etc/passwd", "give a name such as Europe/London"),
        ("+01:00", "give a name such as Europe/London"),
        ("", "give a name such as Europe/London"),
    ],
)
def test_an_unknown_zone_is_refused_with_similar_ones(name: str, near: str, tmp_path: Path) -> None:
    line = refused("log", "QT123456", *YEARS, "--time-zone", name, cwd=tmp_path)

    assert line.startswith(f"--time-zone {name!r}: no such zone; ")
    assert near in line


@pytest.mark.parametrize("form", ["csv", "json", "ndjson", "parquet"])
def test_a_format_for_programs_has_no_zone(form: str, tmp_path: Path) -> None:
    words = ("log", "QT1", *YEARS, "--output", f"log.{form}", "--time-zone", "Europe/London")

    assert refused(*words, cwd=tmp_path).endswith(f"times in {form} are in UTC\n")


def test_a_system_without_zones_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoneinfo.available_timezones", set)

    assert "pip install tzdata" in refused("log", "QT1", *YEARS, "--time-zone", "Europe/London")


def test_a_time_whose_local_date_is_before_the_year_1_is_shown_in_utc() -> None:
    first = datetime.min.replace(tzinfo=UTC)

    assert written_time(first, ZoneInfo("America/New_York")) == "0001-01-01T00:00:00+00:00"


# The plan


def test_a_dry_run_needs_no_key_and_sends_nothing() -> None:
    words = ("log", *FLEET, *YEARS, "--dry-run")
    done = mycirrus(*words, standin=(standin := Standin()), MYCIRRUS_API_KEY="")
    head, *lines = done.stdout.splitlines()

    assert (done.returncode, done.stderr, standin.requests) == (0, "", [])
    assert head == "12 requests for 3 instruments, 2019-01-01T00:00:00Z to 2022-06-01T00:00:00Z"
    assert len(lines) == WINDOWS
    assert lines[0] == "QT123456  2019-01-01T00:00:00Z  2019-12-31T23:59:59.998Z"


def test_a_dry_run_lists_the_requests_that_the_run_sends() -> None:
    """A request for each window, with a margin of a millisecond at its ends."""
    standin = Standin()
    plan = mycirrus("log", *FLEET, *YEARS, "--dry-run").stdout.splitlines()[1:]
    mycirrus("log", *FLEET, *YEARS, "--format", "csv", standin=standin)
    sent = [parse_qs(request.query) for request in standin.requests]

    assert sorted(
        (one["instruments"][0], moment("sent", one["start"][0]) + timedelta(milliseconds=1))
        for one in sent
    ) == sorted((serial, moment("planned", start)) for serial, start, _ in map(str.split, plan))
