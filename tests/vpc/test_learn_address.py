import io
import urllib.error
import urllib.request

import pytest

from stacks.vpc.handlers.learn_address import index


def ask(monkeypatch: pytest.MonkeyPatch, answer: bytes | OSError) -> dict[str, str | None]:
    def urlopen(url: str, timeout: float) -> io.BytesIO:
        assert url.startswith("https://")
        if isinstance(answer, OSError):
            raise answer
        return io.BytesIO(answer)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return index.handler({}, None)


def test_the_answer_is_the_address_that_the_internet_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(monkeypatch, b"203.0.113.7\n") == {"address": "203.0.113.7"}


def test_without_a_way_out_there_is_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask(monkeypatch, urllib.error.URLError(TimeoutError())) == {"address": None}


def test_a_name_that_does_not_resolve_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(urllib.error.URLError, match="unknown"):
        ask(monkeypatch, urllib.error.URLError("unknown"))
