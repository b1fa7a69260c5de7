"""Tries to open a connection to port 443, and tells which address it tried."""

import socket
from typing import Any

HTTPS = 443
TIMEOUT_SECONDS = 3


def handler(event: dict[str, str], context: object) -> dict[str, Any]:
    address = socket.gethostbyname(event["host"])
    return {"address": address, "connected": connects(address)}


def connects(address: str) -> bool:
    """Whether somebody answers. Where no route or no rule lets packets through, they vanish."""
    try:
        with socket.create_connection((address, HTTPS), timeout=TIMEOUT_SECONDS):
            return True
    except TimeoutError:
        return False
