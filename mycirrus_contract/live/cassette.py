"""A run as a file, without its secrets: what was sent, what was answered, what was found.

`contract_tests.live.replay` plays it again offline, so that a surprise of the live API becomes a
test: put its cassette into ``contract_tests/live/cassettes/``.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from cirrus_ext import ConfigurationError
from mycirrus_contract.conformity import reply_violations, request_violations
from mycirrus_contract.messages import Reply, Request

from .exchange import Exchange
from .run import Run

FORMAT = 2


@dataclass(frozen=True)
class Recorded:
    """A recorded exchange.

    Attributes:
        name: Of the request.
        sent: What was sent, with the path after the base URL, and the kind of the key instead of
            the key.
        reply: What was answered; None if there was no complete answer.
        failure: Why there was none.
        seconds: How long it took.
        off_spec: What was off spec in it, as the guard of the mocks saw it.
    """

    name: str
    sent: Request
    reply: Reply | None
    failure: str
    seconds: float
    off_spec: dict[str, list[str]]


@dataclass(frozen=True)
class Cassette:
    """A recorded run.

    Attributes:
        recorded: When the run began, in UTC.
        server: The base URL.
        budget: Of the run.
        instruments: Replacements of the serial numbers, of the same shape.
        start: Of the chosen range, in UTC.
        end: Of the chosen range, in UTC.
        exchanges: Every exchange, in order.
        verdicts: What was found, by the name of the finding.
    """

    recorded: datetime
    server: str
    budget: int
    instruments: tuple[str, ...]
    start: datetime
    end: datetime
    exchanges: tuple[Recorded, ...]
    verdicts: dict[str, str]


def dumps(run: Run, verdicts: dict[str, str]) -> str:
    """Write a run as JSON.

    Args:
        run: Redacted.
        verdicts: What was found, without what is accepted.
    """
    content = {
        "format": FORMAT,
        "about": "a run of the contract check; serials, users and messages are replaced by others "
        "of the same shape, and the key is left out",
        "recorded": run.began.isoformat(),
        "server": run.base_url,
        "version": run.version,
        "budget": run.budget,
        "instruments": run.instruments,
        "start": run.start.isoformat(),
        "end": run.end.isoformat(),
        "verdicts": verdicts,
        "exchanges": [_exchange(exchange) for exchange in run.exchanges],
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _exchange(exchange: Exchange) -> dict[str, Any]:
    sent = exchange.sent or Request("GET", "")
    return {
        "name": exchange.request.name,
        "request": {
            "method": sent.method,
            "path": sent.path,
            "query": parse_qsl(sent.query, keep_blank_values=True),
            "key": sent.headers.get("x-api-key"),
        },
        "reply": exchange.reply and _reply(exchange.reply),
        "failure": exchange.failure,
        "began": exchange.began,
        "seconds": exchange.seconds,
        "off_spec": off_spec(sent, exchange.reply),
    }


def _reply(reply: Reply) -> dict[str, Any]:
    body = (
        {"json": reply.json} if reply.is_json else {"text": reply.body.decode("utf-8", "replace")}
    )
    return {"status": reply.status, "headers": reply.headers, **body}


def off_spec(sent: Request, reply: Reply | None) -> dict[str, list[str]]:
    """What is off spec in an exchange, as the guard of the mocks sees it."""
    headers = {} if sent.headers.get("x-api-key") == "none" else sent.headers
    request = Request(sent.method, f"/v1{sent.path}", sent.query, headers)
    found = {
        "off_spec": reply_violations(request, reply),
        "off_spec_request": request_violations(request, reply),
    }
    return {name: problems for name, problems in found.items() if problems}


def load(path: Path) -> Cassette:
    """Read a cassette.

    Raises:
        ConfigurationError: It cannot be read, or is not a cassette.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{path} is not JSON") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ConfigurationError(f"{path} is not a cassette of format {FORMAT}")
    try:
        cassette = Cassette(
            recorded=datetime.fromisoformat(content["recorded"]),
            server=str(content["server"]),
            budget=int(content["budget"]),
            instruments=tuple(content["instruments"]),
            start=datetime.fromisoformat(content["start"]),
            end=datetime.fromisoformat(content["end"]),
            exchanges=tuple(map(_recorded, content["exchanges"])),
            verdicts=dict(content["verdicts"]),
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{path} is not whole: {type(error).__name__}") from error
    if not cassette.exchanges:
        raise ConfigurationError(f"{path} is not whole: it has no exchanges")
    return cassette


def _recorded(entry: dict[str, Any]) -> Recorded:
    request, reply = entry["request"], entry["reply"]
    if reply is not None:
        body = reply["text"] if "text" in reply else json.dumps(reply["json"], ensure_ascii=False)
        reply = Reply(reply["status"], reply["headers"], body.encode())
    query = urlencode([tuple(pair) for pair in request["query"]])
    return Recorded(
        entry["name"],
        Request(request["method"], request["path"], query, {"x-api-key": request["key"]}),
        reply,
        failure=entry["failure"],
        seconds=float(entry["seconds"]),
        off_spec=dict(entry["off_spec"]),
    )
