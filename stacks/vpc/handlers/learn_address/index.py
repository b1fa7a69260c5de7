"""Learns by which public address the internet sees this function, if it can be reached at all."""

import urllib.error
import urllib.request
from typing import Any

ECHO = "https://checkip.amazonaws.com"
# Each of the service's addresses is tried for so long; it has about half a dozen.
TIMEOUT_SECONDS = 2


def handler(event: dict[str, Any], context: object) -> dict[str, str | None]:
    return {"address": outgoing_address()}


def outgoing_address() -> str | None:
    """Ask who is asking. None: without a route, packets vanish and nobody answers."""
    try:
        with urllib.request.urlopen(ECHO, timeout=TIMEOUT_SECONDS) as answer:
            return str(answer.read().decode().strip())
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            return None
        raise
