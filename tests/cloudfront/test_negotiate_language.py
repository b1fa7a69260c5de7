from typing import Any

import pytest

from stacks.cloudfront.handlers.negotiate_language import index


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        ("de", "/de/guide"),
        ("de-CH", "/de/guide"),
        ("FR", "/fr/guide"),
        ("en, de", "/guide"),
        ("de;q=0.5, fr;q=0.9", "/fr/guide"),
        ("de;q=0.5, en;q=0.7", "/guide"),
        ("it, de ; q=0.3", "/de/guide"),
        ("it", "/guide"),
        ("", "/guide"),
        ("*", "/guide"),
        (";q=x,,-;q=1.2.3", "/guide"),
    ],
)
def test_the_reader_gets_the_best_liked_language_that_there_is(
    accepted: str, expected: str
) -> None:
    assert index.localized("/guide", accepted) == expected


def test_only_the_address_of_the_request_changes() -> None:
    header = {"key": "Accept-Language", "value": "de"}
    request: dict[str, Any] = {
        "uri": "/guide/index.html",
        "method": "GET",
        "headers": {"accept-language": [header]},
    }

    forwarded = index.handler({"Records": [{"cf": {"request": request}}]}, None)

    assert forwarded == {**request, "uri": "/de/guide/index.html"}


def test_a_request_without_a_language_is_forwarded_as_it_is() -> None:
    request = {"uri": "/guide/index.html", "headers": {}}

    forwarded = index.handler({"Records": [{"cf": {"request": dict(request)}}]}, None)

    assert forwarded == request
