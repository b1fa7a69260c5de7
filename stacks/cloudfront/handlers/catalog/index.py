"""The HTTP origin: a catalog in the reader's language, currency and size, and the time."""

import json
import time
from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    if event["rawPath"].startswith("/api/"):
        return answer({"nanoseconds": str(time.time_ns())})
    return answer(catalog(event))


def catalog(event: dict[str, Any]) -> dict[str, Any]:
    """What is shown, chosen by what reached the origin; and all that did, for who wants to see."""
    query = event.get("queryStringParameters", {})
    cookies = {name: value for name, _, value in map(split_cookie, event.get("cookies", []))}
    return {
        "language": event["headers"].get("accept-language", "en"),
        "currency": cookies.get("currency", "USD"),
        "size": query.get("size", "small"),
        "received": {"cookies": cookies, "query": query, "headers": sorted(event["headers"])},
    }


def split_cookie(cookie: str) -> tuple[str, str, str]:
    return cookie.partition("=")


def answer(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(body),
    }
