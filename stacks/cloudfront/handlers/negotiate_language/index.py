"""Runs before the origin is asked: picks the page in the reader's language.

At the edge there are no environment variables, so all that it knows is in its code.
"""

import re
from typing import Any

LANGUAGES = ("de", "fr")
WISH = re.compile(r"([a-z]{2,3})(?:-[a-z0-9]+)*(?:\s*;\s*q=([01](?:\.[0-9]+)?))?")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    request: dict[str, Any] = event["Records"][0]["cf"]["request"]
    accepted = request["headers"].get("accept-language", [{"value": ""}])[0]["value"]
    request["uri"] = localized(request["uri"], accepted)
    return request


def localized(uri: str, accepted: str) -> str:
    """The page in the language that the reader likes best, of those it is there in.

    Args:
        uri: Of the page in English, as in ``/guide/index.html``.
        accepted: An Accept-Language header, as in ``fr;q=0.5, de-CH``.
    """
    wishes = [(language, float(weight or 1)) for language, weight in WISH.findall(accepted.lower())]
    for language, _ in sorted(wishes, key=lambda wish: wish[1], reverse=True):
        if language in LANGUAGES:
            return f"/{language}{uri}"
        if language == "en":
            break
    return uri
