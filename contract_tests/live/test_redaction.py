"""What is secret or personal leaves a run before anybody sees it, and its shape stays."""

import json
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cirrus_ext.settings import Secret
from contract_tests.api_mutants.catalogue import MUTANTS
from mycirrus_contract.live.checks import judge
from mycirrus_contract.live.command import Target, judged, reports, write
from mycirrus_contract.live.exchange import NOT_SHOWN, Exchange, ProbeRequest
from mycirrus_contract.live.leaks import LeakError
from mycirrus_contract.live.plan import unknown_like
from mycirrus_contract.live.redaction import Redactor
from mycirrus_contract.messages import Reply, Request, json_reply
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.fleet import Entry
from mycirrus_contract.standin.rules import DEMO_KEY

from .runs import END, SERIALS, START, WORLD, exchanges_of

KEY = "canary-key-0123456789"
KEY_OF_WORDS = "AbcdefghIjklmnopQrstuvwx"
USER, MESSAGE = "Quantum Demo", "Installed and working, says J. O'Brien <job@example.org>"
ITEM = {"time": "2025-06-07T11:18:42.814Z", "user": USER, "message": MESSAGE}
REQUEST = ProbeRequest("whole range", ("QT123456",), START, END)


def redacted(*exchanges: Exchange) -> list[Exchange]:
    redactor = Redactor(KEY, exchanges)
    return [redactor.exchange(exchange) for exchange in exchanges]


def body_of(body: Any, status: int = 200) -> Any:
    (exchange,) = redacted(Exchange(REQUEST, json_reply(status, body)))
    assert exchange.reply is not None
    return exchange.reply.json


def shape(text: str) -> str:
    return re.sub(r"[A-Z]", "A", re.sub(r"[a-z]", "a", re.sub(r"[0-9]", "9", text)))


def test_a_replacement_has_the_shape_of_the_text() -> None:
    (exchange,) = redacted(Exchange(REQUEST, json_reply(200, [ITEM])))
    assert exchange.reply is not None
    (item,) = exchange.reply.json

    assert item["time"] == ITEM["time"]
    for name in ("user", "message"):
        assert item[name] != ITEM[name]
        assert shape(item[name]) == shape(ITEM[name])
    (serial,) = exchange.request.instruments
    assert shape(serial) == "AA999999"
    assert serial != "QT123456"


def test_equal_texts_of_a_run_have_equal_replacements() -> None:
    one, other = (
        Exchange(REQUEST, json_reply(200, [ITEM])),
        Exchange(REQUEST, json_reply(200, [ITEM, ITEM | {"user": "Quantum Dem0"}])),
    )
    (first,), (second, third) = (
        exchange.reply.json for exchange in redacted(one, other) if exchange.reply
    )

    assert first == second
    assert third["message"] == second["message"]
    assert third["user"] != second["user"]
    assert redacted(one) != redacted(one)


def test_more_users_than_letters_have_different_replacements() -> None:
    users = [chr(code) for code in range(ord("a"), ord("z") + 1)] + ["ä", "ö", "-", "+"]
    items = body_of([ITEM | {"user": user} for user in users])
    names = [item["user"] for item in items]

    assert len(set(names)) == len(users)
    assert not set(names) & set(users)


WRONG_SHAPES: dict[str, tuple[Any, int]] = {
    "wrapped": ({"items": [ITEM]}, 200),
    "by serial": ({"QT123456": [ITEM]}, 200),
    "by user": ({USER: [ITEM]}, 200),
    "by a user like a field": ({"QuantumDemo": [ITEM | {"user": "QuantumDemo"}]}, 200),
    "user is an object": ([ITEM | {"user": {"name": USER, "id": 471147114711}}], 200),
    "user in the time": ([ITEM | {"time": USER}], 200),
    "names its instrument": ([ITEM | {"instrument": "QT123456"}], 200),
    "a list of texts": ([USER, MESSAGE], 200),
    "a text": (MESSAGE, 200),
    "key in the description": ({"error": "Bad", "description": f"{KEY} for QT123456"}, 400),
    "key as the code": ({"error": KEY, "description": "No."}, 401),
    "serial as the code": ({"error": "QT123456", "description": USER}, 403),
    "a description of parts": ({"error": "Bad", "description": [USER, {"en": MESSAGE}]}, 401),
    "a user as the code": ({"error": "QuantumDemo", "description": "No."}, 400),
    "a serial in a field": ([ITEM | {"level_qt123456": 1, "xQT123456y": 2}], 200),
    "a serial in another case": ({"items": {"qt123456": [ITEM]}}, 200),
    "half an emoji": ([ITEM | {"message": f"{MESSAGE} \ud83d"}], 200),
    "a name that is empty": ([ITEM | {"": USER}], 200),
    "a time beside the error": ({"error": "Bad", "time": "2025-06-07T11:18:42Z"}, 400),
    "extra parts": ({"error": "Bad", "user": USER, "trace": [MESSAGE]}, 400),
}


@pytest.mark.parametrize(("body", "status"), WRONG_SHAPES.values(), ids=list(WRONG_SHAPES))
def test_no_secret_is_left_wherever_a_server_puts_it(body: Any, status: int) -> None:
    exchange = Exchange(REQUEST, json_reply(status, body))
    known = Exchange(REQUEST, json_reply(200, [ITEM, ITEM | {"user": "QuantumDemo"}]))
    redactor = Redactor(KEY, [exchange, known])
    clean = redactor.exchange(exchange)
    assert clean.reply is not None
    text = clean.reply.body.decode()

    for secret in (KEY, "qt123456", USER, MESSAGE, "QuantumDemo", "O'Brien", "471147114711"):
        assert secret.lower() not in text.lower()
    redactor.secrets.check(text)
    redactor.secrets.check_replies(text, [clean.reply])
    assert [one.verdict for one in judge([clean])] == [one.verdict for one in judge([exchange])]


def test_times_nulls_types_and_known_fields_stay() -> None:
    items = [{"time": "2025-06-07T11:18:42.8140000Z", "user": None, "level": 93.7, "ok": True}]
    (item,) = body_of(items)

    assert list(item) == ["time", "user", "field_1", "field_2"]
    assert item["time"] == items[0]["time"]
    assert (item["user"], item["field_2"]) == (None, True)
    assert isinstance(item["field_1"], float)
    assert item["field_1"] != 93.7


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (
            {"error": "RangeTooLong", "description": "At most one year, see mycirrus.cloud."},
            ["RangeTooLong", "At most one year, see mycirrus.cloud."],
        ),
        (
            {"title": "Invalid.", "status": 400, "errors": {"end": ["The end is missing."]}},
            ["Invalid.", 400, "The end is missing."],
        ),
        ({"error": KEY}, [NOT_SHOWN]),
    ],
)
def test_the_texts_of_an_error_stay_readable(body: Any, shown: list[Any]) -> None:
    clean = body_of(body, 400)

    assert list(clean) == list(body)
    assert list(flat(clean)) == shown


@pytest.mark.parametrize(
    "text",
    [
        f"The key {KEY[:13]} has expired.",
        f"The key ending in {KEY[-6:]} has expired.",
        f"The key {KEY.swapcase()} has expired.",
        f"The key {'-'.join(KEY)} has expired.",
        f"The key {KEY_OF_WORDS[:-1]}* has expired.",
        "There is no bob here.",
        "Quantum Demo has no access.",
        "QUANTUM-DEMO has no access.",
        "Ask jane.doe@example.org.",
    ],
)
def test_a_text_of_an_error_that_contains_a_secret_is_not_shown(text: str) -> None:
    known = Exchange(REQUEST, json_reply(200, [ITEM, ITEM | {"user": "Bob"}]))
    bad = Exchange(REQUEST, json_reply(400, {"error": text, "description": text}))
    key = KEY_OF_WORDS if KEY_OF_WORDS[:-1] in text else KEY
    clean = Redactor(key, [known, bad]).exchange(bad)
    assert clean.reply is not None

    assert clean.reply.json == {"error": NOT_SHOWN, "description": NOT_SHOWN}


def test_a_serial_in_a_text_of_an_error_is_replaced_in_any_spelling() -> None:
    text = "There is no qt-123456 here."
    (clean,) = redacted(Exchange(REQUEST, json_reply(404, {"description": text})))
    assert clean.reply is not None
    (serial,) = clean.request.instruments
    replaced = f"There is no {serial[:2].lower()}-{serial[2:]} here."

    assert clean.reply.json["description"] == replaced


def test_a_trace_id_stays_and_one_with_a_secret_does_not() -> None:
    headers = {"x-request-id": "4bf92f35-77b3", "request-id": "for-QT123456", "cf-ray": "a b"}
    (clean,) = redacted(Exchange(REQUEST, Reply(200, headers, b"[]")))
    assert clean.reply is not None

    assert clean.reply.headers == {"x-request-id": "4bf92f35-77b3"}
    assert clean.trace == "x-request-id: 4bf92f35-77b3"


def test_the_unknown_serial_is_derived_from_the_replacement_of_the_first_serial() -> None:
    """Otherwise a replay would send another request than the recorded one."""
    unknown = replace(REQUEST, instruments=("QT000000",))
    one, other = redacted(
        Exchange(REQUEST, sent=Request("GET", "/log", "instruments=QT123456")),
        Exchange(unknown, sent=Request("GET", "/log", "instruments=QT123456,QT000000")),
    )
    assert one.sent is not None
    assert other.sent is not None
    (known,), (made,) = one.request.instruments, other.request.instruments

    assert made == unknown_like(known)
    assert one.sent.parameters == {"instruments": [known]}
    assert other.sent.parameters == {"instruments": [f"{known},{made}"]}


def flat(value: Any) -> Iterator[Any]:
    """The values in a body, at any depth."""
    parts = value.values() if isinstance(value, dict) else value
    for part in parts:
        if isinstance(part, dict | list):
            yield from flat(part)
        else:
            yield part


def test_headers_and_bodies_that_are_not_json_keep_only_their_type() -> None:
    reply = Reply(
        401,
        {
            "content-type": "text/html; charset=utf-8",
            "set-cookie": f"session={KEY}",
            "retry-after": f"in a minute, {USER}",
            "location": "https://example.invalid/QT123456",
        },
        f"<p>{USER} {KEY}</p>".encode(),
    )
    odd = replace(reply, headers={"content-type": f"text/{KEY}"}, body=b"")
    clean, other = redacted(Exchange(REQUEST, reply), Exchange(REQUEST, odd))

    assert clean.reply == Reply(
        401,
        {"content-type": "text/html; charset=utf-8", "retry-after": "other"},
        b"41 bytes that are not JSON",
    )
    assert other.reply == Reply(401, {"content-type": "application/x-other"}, b"")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("application/json", "application/json"),
        ("application/json; v=1.0", "application/json"),
        ("application/json;odata.metadata=minimal", "application/json"),
        ("application/json ;charset=UTF-8; v=1", "application/json; charset=UTF-8"),
        ("Application/JSON;  Charset=utf-16", "application/json; charset=utf-16"),
        ("application/json;", "application/json"),
        ("text/html", "text/html"),
        ("text/Quantum Demo", "application/x-other"),
    ],
)
def test_a_media_type_keeps_its_kind_and_its_charset(sent: str, kept: str) -> None:
    (clean,) = redacted(Exchange(REQUEST, Reply(200, {"content-type": sent}, b"[]")))

    assert clean.reply is not None
    assert clean.reply.headers == {"content-type": kept}


def test_different_numbers_stay_different_and_equal_ones_equal() -> None:
    """Otherwise the redaction would hide or make equal items."""
    items = [ITEM | {"channel": number, "level": number / 2} for number in [*range(30), 3, 7]]
    clean = body_of(items)

    assert len({item["field_1"] for item in clean}) == 30
    assert len({item["field_2"] for item in clean}) == 30
    assert clean[3] == clean[30]


def test_names_of_fields_are_numbered_unless_the_spec_knows_them() -> None:
    item = {"time": ITEM["time"], "JaneDoe": {"QT123456": 2}, "level": 1}
    first, second = body_of([item, {"level": 2, "User": "x"}])

    assert first.keys() == {"time", "field_1", "field_3"}
    assert first["field_1"].keys() == {"field_2"}
    assert second.keys() == {"field_3", "User"}


def test_a_text_that_looks_like_a_time_stays_only_where_a_time_belongs() -> None:
    (item,) = body_of([ITEM | {"message": "2025-06-07", "user": "2025-06-07T11:18:42Z"}])

    assert item["time"] == ITEM["time"]
    assert item["message"] != "2025-06-07"
    assert item["user"] != "2025-06-07T11:18:42Z"


def test_a_long_log_is_redacted_in_seconds() -> None:
    items = [ITEM | {"message": f"Field check number {number}"} for number in range(4_000)]
    clean = body_of(items)

    assert len({item["message"] for item in clean}) == 4_000


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)
# Nobody's words, and of a form that can stand anywhere without being part of something else.
SECRET = st.from_regex(r"\A[A-Z][a-z]{5,9} [0-9]{4}[qxz]\Z")


@settings(max_examples=settings().max_examples // 10)
@given(body=ANY, secrets=st.lists(SECRET, min_size=3, max_size=3, unique=True), data=st.data())
def test_planted_secrets_are_in_no_result(
    body: Any, secrets: list[str], data: st.DataObject
) -> None:
    serial, user, message = secrets
    planted = json.dumps(body)
    for secret in secrets:
        place = data.draw(st.sampled_from(["value", "name", "item"]))
        inner = json.loads(planted)
        planted = json.dumps(
            {
                "value": [inner, secret],
                "name": {secret: inner},
                "item": [inner, ITEM | {"user": secret}],
            }[place]
        )
    request = replace(REQUEST, instruments=(serial,))
    exchange = Exchange(request, Reply(200, {"content-type": "application/json"}, planted.encode()))
    (clean,) = redacted(exchange)
    found = judge([clean])
    shown = repr(clean) + repr(found)

    assert not [secret for secret in (*secrets, user, message, KEY) if secret in shown]
    assert Counter(one.verdict for one in found) == Counter(
        one.verdict for one in judge([exchange])
    )


SHAPES = [one for one in MUTANTS if one.kind in {"shape", "media type", "time format"}]


@pytest.mark.parametrize("mutant", SHAPES, ids=lambda mutant: mutant.name)
def test_the_redaction_changes_no_verdict(mutant: Any) -> None:
    server = Standin(WORLD, behaviour=mutant, sleep=lambda seconds: None)
    exchanges = exchanges_of(server.transport(), budget=1)
    redactor = Redactor(DEMO_KEY, exchanges)
    clean = [redactor.exchange(exchange) for exchange in exchanges]

    assert [(one.name, one.verdict) for one in judge(clean)] == [
        (one.name, one.verdict) for one in judge(exchanges)
    ]


@pytest.mark.parametrize(
    "text",
    [
        f"<td>{KEY}</td>",
        "QT123456",
        "Quantum Demo",
        "says J. O&#x27;Brien &lt;job@example.org&gt;",
        "says J. O'Brien &lt;job@example.org&gt;",
        json.dumps({"key": KEY}),
    ],
)
def test_a_report_in_which_a_secret_is_left_is_refused(text: str) -> None:
    redactor = Redactor(
        KEY, [Exchange(REQUEST, json_reply(200, [ITEM | {"message": MESSAGE[23:]}]))]
    )

    with pytest.raises(LeakError) as caught:
        redactor.secrets.check(f"before {text} after")
    assert not [word for word in (KEY, "QT123456", USER) if word in str(caught.value)]
    redactor.secrets.check("before after")


def test_a_key_that_is_a_common_word_is_no_leak() -> None:
    """It is not a real key, and the report has to show its 401s."""
    exchanges = exchanges_of(Standin(WORLD).transport(), api_key="wrong")
    redactor = Redactor("wrong", exchanges)
    target = Target("http://127.0.0.1/v1", Secret("wrong"), SERIALS, START, END)
    run = judged(target, [redactor.exchange(exchange) for exchange in exchanges], END)

    assert "With a wrong key the answer is a 401" in reports(run, run, redactor)["report.md"]


@pytest.mark.parametrize("left", [KEY, "QT123456", "ok", MESSAGE])
def test_a_cassette_in_which_a_secret_is_left_is_refused(left: str) -> None:
    came = Exchange(REQUEST, json_reply(200, [ITEM | {"user": "ok"}]))
    redactor = Redactor(KEY, [came])
    body = [ITEM | {"user": "Xyzzy", "message": left}]

    with pytest.raises(LeakError):
        redactor.secrets.check_replies(json.dumps(body), [json_reply(200, body)])
    clean = redactor.exchange(came)
    assert clean.reply is not None
    redactor.secrets.check_replies(clean.reply.body.decode(), [clean.reply])


@pytest.mark.parametrize(
    ("serial", "text"),
    [
        ("A B/Ä 12345", "instruments=A+B%2F%C3%84+12345&start"),
        ("A B/Ä 12345", "instruments=A%20B%2F%C3%84%2012345&start"),
        ("ABCDEFG", "of ABCDEFG."),
        ("QT12", "(QT12)"),
        ("O'Hare_7", "O&#x27;Hare_7"),
    ],
)
def test_a_serial_number_is_found_in_every_spelling(serial: str, text: str) -> None:
    request = replace(REQUEST, instruments=(serial,))
    redactor = Redactor(KEY, [Exchange(request, json_reply(200, []))])

    with pytest.raises(LeakError):
        redactor.secrets.check(f"before {text} after")
    redactor.secrets.check("XABCDEFGX QT1234 4711")


WORDS = (
    *("application", "exchanges", "10:00", "12 items", "+0.02", "content-type", "1"),
    *("application/json", "holds", "2026", "items", "refused with 400"),
    *("22 items, twice the same", "whole range, through the SDK"),
)


def test_a_log_of_everyday_words_can_be_reported(tmp_path: Path) -> None:
    entries = [
        Entry(serial, f"2025-01-{day:02}T08:00:00.125Z", word, f"{word}{'' if day % 2 else '!'}")
        for serial in SERIALS
        for day, word in enumerate(WORDS, 2)
    ]
    world = replace(WORLD, entries=tuple(entries))
    exchanges = exchanges_of(Standin(world).transport())
    redactor = Redactor(DEMO_KEY, exchanges)
    target = Target("http://127.0.0.1/v1", Secret(DEMO_KEY), SERIALS, START, END)
    run = judged(target, [redactor.exchange(exchange) for exchange in exchanges], END)

    write(tmp_path, reports(run, run, redactor))
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.parametrize("serial", ["200", "12345"])
def test_a_serial_number_that_is_also_a_status_or_a_count_is_no_leak(serial: str) -> None:
    entries = [replace(entry, instrument=serial) for entry in WORLD.entries if entry.time > "2025"]
    world = replace(WORLD, entries=tuple(entries))
    exchanges = exchanges_of(Standin(world).transport(), instruments=[serial])
    redactor = Redactor(DEMO_KEY, exchanges)
    target = Target("http://127.0.0.1/v1", Secret(DEMO_KEY), [serial], START, END)
    run = judged(target, [redactor.exchange(exchange) for exchange in exchanges], END)

    assert set(reports(run, run, redactor)) >= {"report.md", "cassette.json"}


def test_a_user_who_is_called_like_a_heading_is_no_leak() -> None:
    exchange = Exchange(REQUEST, json_reply(200, [ITEM | {"user": "Calibration log"}]))
    redactor = Redactor(KEY, [exchange])

    redactor.secrets.check("Calibration log of an instrument", blank="Calibration log and so on")
    redactor.secrets.check("ok", blank="")
    with pytest.raises(LeakError):
        redactor.secrets.check("Calibration log", blank="something else")


@pytest.mark.parametrize(
    ("drawn", "serials", "item"),
    [
        ("QT987654", ("QT123456", "QT000000"), {}),
        ("ZZ9qt1", ("QT1",), {"user": "ab2"}),
        ("9876512345", ("12345",), {"level": 54321}),
        ("CANARYKEY", ("ABCDEFGHI",), {}),
    ],
    ids=["for the unknown serial", "a serial", "a number", "the key"],
)
def test_no_replacement_is_taken_for_a_secret_whatever_is_drawn(
    drawn: str, serials: tuple[str, ...], item: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, choice = iter(drawn), random.SystemRandom().choice
    monkeypatch.setattr(
        random.SystemRandom, "choice", lambda self, letters: next(first, "") or choice(letters)
    )
    came = [
        Exchange(replace(REQUEST, instruments=(serial,)), json_reply(200, [item]))
        for serial in serials
    ]
    redactor = Redactor("CANARYKEY", came)
    clean = [redactor.exchange(one) for one in came]

    assert next(first, None) is None
    redactor.secrets.check_replies(repr(clean), [one.reply for one in clean if one.reply])
