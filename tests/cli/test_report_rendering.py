"""The report of ``mycirrus report`` shows the log completely and correctly."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cirrus_ext import CalibrationRecord
from mycirrus_cli.report.rendering import Request, minute, render
from mycirrus_cli.report.summary import Gap, in_days, summarise
from mycirrus_cli.report.timeline import Axis
from mycirrus_cli.times import written_time
from mycirrus_contract.standin.fleet import fleet
from tests.support.html_reader import read

START = datetime(2020, 1, 1, tzinfo=UTC)
END = datetime(2026, 1, 1, tzinfo=UTC)
SILENT = "QT999999"
NOTHING = "\N{EN DASH}"
FLEET = tuple(
    CalibrationRecord(entry.instrument, moment, entry.user, entry.message)
    for entry in fleet(END - timedelta.resolution)
    if (moment := datetime.fromisoformat(entry.time)) >= START
)
SERIALS = (*dict.fromkeys(record.instrument for record in FLEET), SILENT)
REQUEST = Request(
    start=START,
    end=END,
    created=datetime(2026, 1, 5, 9, 30, 12, tzinfo=UTC),
    server="https://127.0.0.1/v1",
    requests=49,
    version="1.2.3",
    max_gap=timedelta(days=365),
)


def html_of(
    *records: CalibrationRecord, serials: tuple[str, ...] = ("QT1",), request: Request = REQUEST
) -> str:
    return render(
        request,
        [summarise(one, records, start=request.start, end=request.end) for one in serials],
    )


def entry(
    days: float, instrument: str = "QT1", user: str | None = "U", message: str | None = "M"
) -> CalibrationRecord:
    return CalibrationRecord(instrument, START + timedelta(days=days), user, message)


def worded(text: str) -> str:
    """A report with a text in each place that takes one."""
    request = replace(REQUEST, server=text, version=text)
    records = (entry(1, text, text, text), entry(500, text, None, None))
    return html_of(*records, serials=(text, f"{text}2"), request=request)


FLEET_HTML = html_of(*FLEET, serials=SERIALS)
FLEET_REPORT = read(FLEET_HTML)


def test_the_time_lines_stand_above_the_tables() -> None:
    kinds = [one.attributes["class"].split()[0] for one in FLEET_REPORT.all("table")]

    assert kinds[:2] == ["timelines", "overview"]
    assert set(kinds[2:]) == {"users", "log"}


def test_the_overview_has_a_row_for_each_instrument_in_the_order_of_the_request() -> None:
    rows = {row[0]: row[1:] for row in FLEET_REPORT.rows("overview")}

    assert tuple(rows) == SERIALS
    for serial, (entries, first, last, gap, since, mark) in rows.items():
        one = summarise(serial, FLEET, start=START, end=END)
        ends = f"{minute(one.longest_gap.start)} to {minute(one.longest_gap.end)}"
        assert entries == str(len(one.records))
        times = [minute(one.times[at]) if one.times else NOTHING for at in (0, -1)]
        assert [first, last] == times
        assert gap == f"{in_days(one.longest_gap.length)} {ends}, {one.place_of_gap}"
        assert since == (NOTHING if one.since_last is None else in_days(one.since_last))
        assert ("gap over 365 days" in mark) == (one.longest_gap.length > timedelta(days=365))
        assert ("no entries" in mark) == (serial == SILENT)


def test_an_instrument_without_entries_is_named_first_and_is_not_proven_to_exist() -> None:
    first, *_ = FLEET_REPORT.all(kind="alarm")
    last = list(FLEET_REPORT.all("section"))[-1]

    assert first.text.startswith(f"1 instrument without entries: {SILENT}. This does not prove")
    assert last.text.startswith(f"{SILENT} No entries in the range. This does not prove")


def test_without_a_limit_no_gap_is_marked_but_an_instrument_without_entries_is() -> None:
    report = read(html_of(*FLEET, serials=SERIALS, request=replace(REQUEST, max_gap=None)))

    assert "gap over" not in report.text
    assert {one.text for one in report.all(kind="badge")} == {"no entries"}
    assert len(list(report.all("svg", "over"))) == 1


@pytest.mark.parametrize(("late", "expected"), [(timedelta(), False), (timedelta(0, 1), True)])
def test_a_range_that_ends_after_the_report_is_marked(late: timedelta, *, expected: bool) -> None:
    html = html_of(entry(1), request=replace(REQUEST, end=REQUEST.created + late))

    assert ("The range ends after this report was created." in html) == expected


def test_every_entry_is_in_the_table_of_its_instrument_sorted_with_all_digits() -> None:
    report = read(html_of(*reversed(FLEET), serials=SERIALS))
    sections = {next(one.all("h3")).text: one.rows("log") for one in report.all("section")}

    assert tuple(sections) == SERIALS
    for serial, rows in sections.items():
        assert rows == [
            [written_time(one.time), one.user, one.message]
            for one in FLEET
            if one.instrument == serial
        ]


def test_a_missing_user_differs_from_a_blank_one_and_from_one_called_not_given() -> None:
    users = [None, None, None, "", "", "not given"]
    report = read(html_of(*[entry(day, user=user) for day, user in enumerate(users)]))
    emphasised = [one.text for table in report.all(kind="users") for one in table.all("em")]

    assert report.rows("users") == [["not given", "3"], ["blank", "2"], ["not given", "1"]]
    assert emphasised == ["not given", "blank"]


# --- the time lines


def test_each_instrument_has_a_time_line_with_its_longest_gap_and_long_gaps_are_marked() -> None:
    gaps = ["44 days", "244 days", "744 days", "880 days", "144 days", "1,660 days", "no entries"]
    drawn = [one for body in FLEET_REPORT.all("tbody") for one in body.all("svg")]
    over = [one.text for one in FLEET_REPORT.all("svg", "over")]

    assert [row[0] for row in FLEET_REPORT.rows("timelines")] == list(SERIALS)
    assert [one.text for one in drawn if one.attributes.get("role")] == gaps
    assert over == ["744 days", "880 days", "1,660 days", "no entries"]


def test_each_entry_is_a_stroke_and_entries_at_the_same_position_share_it() -> None:
    (path,) = read(html_of(entry(0), entry(100), entry(100), entry(2000))).all("path", "entries")
    minutes = [START + timedelta(minutes=number) for number in range(3_000)]

    assert path.attributes["d"].count("M") == 3
    assert Axis(START, END).strokes(minutes) == [0]


def test_a_gap_is_drawn_from_the_entry_before_it_to_the_entry_after_it() -> None:
    axis = Axis(START, END)
    gap = Gap(START + (END - START) / 4, START + (END - START) / 2)
    report = read(html_of(*[entry(day) for day in (*range(0, 549, 9), *range(1096, 2192, 9))]))
    (bar,) = report.all("rect", "gap")

    assert [axis.x(moment) for moment in (START, gap.start, gap.end, END)] == [0, 250, 500, 1000]
    assert (bar.attributes["x"], bar.attributes["width"]) == ("24.6%", "25.4%")


YEAR = timedelta(days=365)
RANGES = [
    (START, timedelta(seconds=40), ["00:00:00", "00:00:10", "00:00:20", "00:00:30"]),
    (START, timedelta(hours=1), ["01-01 00:00", "01-01 00:10", "01-01 00:20", "01-01 00:30"]),
    (START, timedelta(hours=5), ["01-01 00:00", "01-01 01:00", "01-01 02:00", "01-01 03:00"]),
    (START, timedelta(days=2), ["01-01 00:00", "01-01 12:00", "01-02 00:00"]),
    (START, timedelta(days=9), ["2020-01-01", "2020-01-03", "2020-01-05", "2020-01-07"]),
    (START, YEAR, ["2020-01", "2020-03", "2020-05", "2020-07", "2020-09"]),
    (START, 3 * YEAR, ["2020-01", "2020-07", "2021-01", "2021-07", "2022-01"]),
    (START, 6 * YEAR, ["2020", "2021", "2022", "2023", "2024", "2025"]),
    (START, 30 * YEAR, ["2020", "2025", "2030", "2035", "2040", "2045"]),
    (datetime.min.replace(tzinfo=UTC), 9998 * YEAR, ["1000", "2000", "3000", "4000", "5000"]),
    (datetime(9999, 12, 31, tzinfo=UTC), timedelta(hours=23.9), ["12-31 00:00", "12-31 06:00"]),
    (START, timedelta.resolution, ["00:00:00"]),
]


@pytest.mark.parametrize(("start", "length", "expected"), RANGES, ids=lambda one: str(one)[:20])
def test_the_axis_has_round_dates(start: datetime, length: timedelta, expected: list[str]) -> None:
    ticks = [tick for tick in Axis(start, start + length).ticks() if tick.label]

    assert [tick.label for tick in ticks][: len(expected)] == expected
    assert any(not tick.is_fine for tick in ticks)


def test_a_zone_shows_each_time_with_its_offset_and_ticks_of_its_clock() -> None:
    """With daylight saving time; the positions on the axis are those of the times in UTC."""
    zone = ZoneInfo("Europe/London")
    times = [datetime(2022, 6, 7, 23, 30, tzinfo=UTC), datetime(2022, 12, 7, 23, 30, tzinfo=UTC)]
    records = [CalibrationRecord("QT1", time, None, None) for time in times]
    text = read(html_of(*records, request=replace(REQUEST, zone=zone))).text
    axis = Axis(datetime(2022, 6, 7, tzinfo=UTC), datetime(2022, 6, 8, tzinfo=UTC), zone)

    for words in (
        "All times are in Europe/London, with their offset from UTC.",
        "Created 2026-01-05T09:30:12+00:00",
        "2022-06-08T00:30:00+01:00",
        "2022-12-07T23:30:00+00:00",
        "2022-06-08 00:30+01:00",
    ):
        assert words in text
    assert [(tick.x, tick.label) for tick in axis.ticks()][:2] == [
        (208, "06-07 06:00"),
        (458, "06-07 12:00"),
    ]


def test_no_two_elements_share_an_id_and_every_link_leads_somewhere() -> None:
    elements = list(FLEET_REPORT.all())
    ids = [one.attributes["id"] for one in elements if "id" in one.attributes]
    links = {one.attributes["href"].removeprefix("#") for one in FLEET_REPORT.all("a")}

    assert len(ids) == len(set(ids))
    assert links | {"hatch"} == set(ids)
    assert FLEET_HTML.count("url(#hatch)") == 1
