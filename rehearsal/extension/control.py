"""What the rehearsal asks its server, below ``/_rehearsal/``, where no AWS service answers."""

import asyncio
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from rehearsal.extension import ministack
from rehearsal.extension.asgi import Application, Message, Receive, Send
from rehearsal.extension.clock import Clock

_PREFIX = "/_rehearsal/"


def controlled(app: Application, tiers: Mapping[str, str], clock: Clock) -> Application:
    """Answer the rehearsal's own requests, and leave the rest to ``app``."""

    async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(_PREFIX):
            await app(scope, receive, send)
            return
        status, answer = await _answer(scope, tiers, clock)
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})

    return wrapped


async def _answer(
    scope: Message, tiers: Mapping[str, str], clock: Clock
) -> tuple[HTTPStatus, Mapping[str, Any]]:
    match scope["method"], scope["path"].removeprefix(_PREFIX):
        case "GET", "health":
            return HTTPStatus.OK, {"ministack": ministack.version()}
        case "GET", "tiers":
            return HTTPStatus.OK, tiers
        case "POST", "clock":
            return await _advance(clock, scope["query_string"].decode())
        case "POST", "policies":
            return _enforce_policies(scope["query_string"].decode())
    return HTTPStatus.NOT_FOUND, {"error": f"{scope['method']} {scope['path']} is not known here"}


def _enforce_policies(query: str) -> tuple[HTTPStatus, Mapping[str, Any]]:
    given = parse_qs(query).get("enforced", [""])[0]
    if given not in ("true", "false"):
        return HTTPStatus.BAD_REQUEST, {"error": f"enforced={given!r} is neither true nor false"}
    ministack.enforce_policies(given == "true")
    return HTTPStatus.OK, {"enforced": ministack.policies_are_enforced()}


async def _advance(clock: Clock, query: str) -> tuple[HTTPStatus, Mapping[str, Any]]:
    given = parse_qs(query).get("advance", [""])[0]
    try:
        seconds = float(given)
        if seconds > 0:
            # What was signed in this second was signed before the move, which falls into the next.
            await asyncio.sleep(clock.seconds_to_next)
        return HTTPStatus.OK, {"ahead": clock.advance(seconds)}
    except ValueError:
        return HTTPStatus.BAD_REQUEST, {
            "error": f"advance={given!r} is not a number of seconds from 0"
        }
