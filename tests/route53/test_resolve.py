import socket

import pytest

from stacks.route53.handlers.resolve import index


def resolve(monkeypatch: pytest.MonkeyPatch, result: list[str] | OSError) -> dict[str, list[str]]:
    def gethostbyname_ex(name: str) -> tuple[str, list[str], list[str]]:
        assert name == "orders.test"
        if isinstance(result, OSError):
            raise result
        return name, [], result

    monkeypatch.setattr(socket, "gethostbyname_ex", gethostbyname_ex)
    return index.handler({"name": "orders.test"}, None)


def test_a_name_stands_for_all_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = resolve(monkeypatch, ["198.51.100.1", "198.51.100.2"])
    assert answer == {"addresses": ["198.51.100.1", "198.51.100.2"]}


@pytest.mark.parametrize("error", [socket.EAI_NONAME, socket.EAI_NODATA])
def test_a_name_that_nobody_knows_has_none(monkeypatch: pytest.MonkeyPatch, error: int) -> None:
    assert resolve(monkeypatch, socket.gaierror(error, "unknown")) == {"addresses": []}


def test_a_resolver_that_does_not_answer_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(socket.gaierror, match="try again"):
        resolve(monkeypatch, socket.gaierror(socket.EAI_AGAIN, "try again"))
