"""A run on disk, redacted, and the same run again without a network.

The answers are played through respx and the guard of the honest mocks: what is off spec in them is
named in the cassette, and a cassette that names something else fails. So a surprise of the live API
becomes a test: put its cassette into ``contract_tests/live/cassettes/``.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from cirrus_ext import ConfigurationError
from mycirrus_contract.conformity import reply_violations, request_violations
from mycirrus_contract.messages import Reply, Request
from mycirrus_contract.model import PATH

from .exchange import WRONG_KEY, Exchange, Question
from .run import Run

FORMAT = 1
REPLAY_URL = "http://127.0.0.1/v1"
REPLAY_KEY = "replay-has-no-key"


@dataclass(frozen=True)
class Cassette:
    """A recorded run.

    Attributes:
        recorded: When the run began, in UTC.
        server: Whom it asked.
        version: Of this project, then.
        budget: Of the run.
        exchanges: Every request, in order, with stand-ins for what is secret or personal.
        excuses: What was off spec in each of them, as the guard of the mocks saw it.
        verdicts: What was found, by the name of the finding.
    """

    recorded: datetime
    server: str
    version: str
    budget: int
    exchanges: tuple[Exchange, ...]
    excuses: tuple[dict[str, list[str]], ...]
    verdicts: dict[str, str]

    @property
    def chosen(self) -> Question:
        """The first question: instruments and range of the run."""
        return self.exchanges[0].question


def dumps(run: Run, verdicts: dict[str, str]) -> str:
    """Write a run as JSON.

    Args:
        run: Redacted.
        verdicts: What was found, without what is accepted.
    """
    content = {
        "format": FORMAT,
        "about": "a run of the contract probe; serials, users and messages are stand-ins of the "
        "same shape, and there is no key in it",
        "recorded": run.began.isoformat(),
        "server": run.base_url,
        "version": run.version,
        "budget": run.budget,
        "verdicts": verdicts,
        "exchanges": [_exchange(exchange) for exchange in run.exchanges],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _exchange(exchange: Exchange) -> dict[str, Any]:
    question = asdict(exchange.question)
    question |= {name: question[name].isoformat() for name in ("start", "end")}
    reply = exchange.reply
    return {
        "question": question,
        "request": f"GET {PATH}?{request_of(exchange.question).query}",
        "reply": reply
        and {
            "status": reply.status,
            "headers": reply.headers,
            "json" if reply.is_json else "text": reply.json
            if reply.is_json
            else reply.body.decode("utf-8", "replace"),
        },
        "failure": exchange.failure,
        "seconds": exchange.seconds,
        "sdk": exchange.sdk,
        "off_spec": excuses(exchange),
    }


def request_of(question: Question) -> Request:
    """What the probe sends for a question, with a key of the replay's."""
    key = {"right": REPLAY_KEY, "wrong": WRONG_KEY, "none": None}[question.key]
    headers = {} if key is None else {"x-api-key": key}
    query = str(httpx.QueryParams(question.parameters))
    return Request("GET", f"/v1{PATH}", query, headers)


def excuses(exchange: Exchange) -> dict[str, list[str]]:
    """What is off spec in an exchange, as the guard of the mocks sees it."""
    request = request_of(exchange.question)
    found = {
        "off_spec": reply_violations(request, exchange.reply),
        "off_spec_request": request_violations(request, exchange.reply),
    }
    return {name: problems for name, problems in found.items() if problems}


def load(path: Path) -> Cassette:
    """Read a cassette.

    Raises:
        ConfigurationError: It cannot be read, or is none.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not JSON") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ConfigurationError(f"{path} is no cassette of format {FORMAT}")
    try:
        cassette = Cassette(
            recorded=datetime.fromisoformat(content["recorded"]),
            server=str(content["server"]),
            version=str(content["version"]),
            budget=int(content["budget"]),
            exchanges=tuple(_played(entry) for entry in content["exchanges"]),
            excuses=tuple(dict(entry["off_spec"]) for entry in content["exchanges"]),
            verdicts=dict(content["verdicts"]),
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{path} is not whole: {type(error).__name__}") from error
    if not cassette.exchanges:
        raise ConfigurationError(f"{path} is not whole: there is no question in it")
    return cassette


def _played(entry: dict[str, Any]) -> Exchange:
    given = entry["question"]
    question = Question(
        **given
        | {
            "instruments": tuple(given["instruments"]),
            "start": datetime.fromisoformat(given["start"]),
            "end": datetime.fromisoformat(given["end"]),
        }
    )
    return Exchange(
        question,
        _reply(entry["reply"]),
        failure=entry["failure"],
        seconds=float(entry["seconds"]),
        sdk=entry["sdk"],
    )


def _reply(entry: dict[str, Any] | None) -> Reply | None:
    if entry is None:
        return None
    body = entry["text"] if "text" in entry else json.dumps(entry["json"], ensure_ascii=False)
    return Reply(entry["status"], entry["headers"], body.encode())


Play = Callable[[httpx.Request], httpx.Response]


class ReplayError(RuntimeError):
    """The probe asks something else than was recorded."""


class RecordedFailureError(httpx.ConnectError):
    """No answer came then, and none comes now."""

    def __init__(self, failure: str, extensions: dict[str, str]) -> None:
        super().__init__(failure)
        self.extensions = extensions


def answers(cassette: Cassette, sleep: Callable[[float], object]) -> Iterator[Play]:
    """The recorded answers as side effects of a respx route, each to its own question.

    Args:
        cassette: What was recorded.
        sleep: Is told how many seconds each answer took.
    """
    for exchange, excused in zip(cassette.exchanges, cassette.excuses, strict=True):
        yield _side_effect(exchange, excused, sleep)


def _side_effect(
    exchange: Exchange, excused: dict[str, list[str]], sleep: Callable[[float], object]
) -> Play:
    expected = request_of(exchange.question)

    def play(request: httpx.Request) -> httpx.Response:
        asked = Request.of(request)
        if (asked.method, asked.path, asked.parameters) != (
            *("GET", expected.path),
            expected.parameters,
        ):
            raise ReplayError(f"asked {asked.query}, and recorded is {expected.query}")
        if asked.headers.get("x-api-key") != expected.headers.get("x-api-key"):
            raise ReplayError(f"{exchange.question.name} is asked with another key than recorded")
        sleep(exchange.seconds)
        extensions = {name: "; ".join(problems) for name, problems in excused.items()}
        if exchange.reply is None:
            raise RecordedFailureError(exchange.failure, extensions)
        return httpx.Response(
            exchange.reply.status,
            headers=exchange.reply.headers,
            content=exchange.reply.body,
            extensions=extensions,
        )

    return play
