"""Plain tests of schemathesis, as in a file of somebody else, work beside ours and their hooks."""

from collections.abc import Awaitable, Callable
from typing import Any

import schemathesis
from hypothesis import settings
from schemathesis import Case

from mycirrus_contract.model import SPEC_FILE
from mycirrus_contract.standin.adapters import Standin
from mycirrus_contract.standin.rules import ROUTES

ANOTHER_API = {
    "openapi": "3.1.0",
    "info": {"title": "Another API", "version": "1"},
    "paths": {
        "/data/calibrations/log": {
            "get": {
                "parameters": [{"name": "start", "in": "query", "schema": {"type": "string"}}],
                "responses": {"200": {"description": "OK"}},
            }
        }
    },
}


async def answer(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[object]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    del receive
    status = 200 if scope["method"] == "GET" else 405
    headers = [(b"allow", b"GET")] if status == 405 else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


another = schemathesis.openapi.from_dict(ANOTHER_API)
another.app = answer
ours = schemathesis.openapi.from_path(SPEC_FILE).include(path=list(ROUTES))
ours.app = Standin()


@another.parametrize()
@settings(max_examples=5)
def test_another_api(case: Case[Any]) -> None:
    case.call_and_validate()


@ours.parametrize()
@settings(max_examples=10)
def test_the_same_api(case: Case[Any]) -> None:
    case.call_and_validate()
