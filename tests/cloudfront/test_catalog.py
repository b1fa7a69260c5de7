import json
from typing import Any

from stacks.cloudfront.handlers.catalog import index


def ask(path: str, **event: Any) -> Any:
    answer = index.handler({"rawPath": path, "headers": {}, **event}, None)
    assert answer["statusCode"] == 200
    return json.loads(answer["body"])


def test_the_catalog_is_in_the_readers_language_currency_and_size() -> None:
    shown = ask(
        "/catalog/lamps",
        headers={"accept-language": "de", "via": "cdn"},
        cookies=["currency=EUR", "flag"],
        queryStringParameters={"size": "large"},
    )

    assert (shown["language"], shown["currency"], shown["size"]) == ("de", "EUR", "large")
    assert shown["received"] == {
        "cookies": {"currency": "EUR", "flag": ""},
        "query": {"size": "large"},
        "headers": ["accept-language", "via"],
    }


def test_who_says_nothing_gets_what_most_get() -> None:
    shown = ask("/catalog/lamps")

    assert (shown["language"], shown["currency"], shown["size"]) == ("en", "USD", "small")


def test_the_time_is_never_twice_the_same() -> None:
    first, second = (int(ask("/api/time")["nanoseconds"]) for _ in range(2))

    assert first < second
