"""The application that versions of the blueprint are made of, called as its server calls it."""

from pathlib import Path
from typing import Any

import pytest

from stacks.beanstalk.application import application as bundle


def call(method: str) -> tuple[str, dict[str, str], bytes]:
    started: list[Any] = []
    body = bundle.application({"REQUEST_METHOD": method}, lambda *args: started.extend(args))
    status, headers = started
    return status, dict(headers), b"".join(body)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_it_says_which_version_it_is(method: str) -> None:
    status, headers, body = call(method)

    assert status == "200 OK"
    assert headers["Content-Type"] == "text/plain; charset=utf-8"
    assert body == b"version " + (Path(bundle.__file__).parent / "VERSION").read_bytes().strip()


def test_it_takes_nothing() -> None:
    status, headers, body = call("POST")

    assert status == "405 Method Not Allowed"
    assert headers["Allow"] == "GET, HEAD"
    assert body == b""
