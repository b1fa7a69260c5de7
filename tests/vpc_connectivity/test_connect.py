import socket

import pytest

from stacks.vpc_connectivity.handlers.connect import index


class Connection:
    """As much of a connection as the handler uses."""

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *failure: object) -> None:
        pass


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> dict[str, OSError | Connection]:
    """What becomes of a connection, by address; one name is known."""
    becomes: dict[str, OSError | Connection] = {}

    def create_connection(address: tuple[str, int], timeout: float) -> Connection:
        assert address[1] == 443
        assert timeout < 15
        result = becomes[address[0]]
        if isinstance(result, OSError):
            raise result
        return result

    monkeypatch.setattr(socket, "gethostbyname", {"sts.test": "10.1.0.9"}.__getitem__)
    monkeypatch.setattr(socket, "create_connection", create_connection)
    return becomes


def test_it_tells_the_address_that_a_name_stands_for(
    network: dict[str, OSError | Connection],
) -> None:
    network["10.1.0.9"] = Connection()

    answer = index.handler({"host": "sts.test"}, None)
    assert answer == {"address": "10.1.0.9", "connected": True}


def test_where_packets_vanish_there_is_no_connection(
    network: dict[str, OSError | Connection],
) -> None:
    network["10.1.0.9"] = TimeoutError()

    assert index.handler({"host": "sts.test"}, None)["connected"] is False


def test_whoever_refuses_to_answer_is_there_after_all(
    network: dict[str, OSError | Connection],
) -> None:
    network["10.1.0.9"] = ConnectionRefusedError()

    with pytest.raises(ConnectionRefusedError):
        index.handler({"host": "sts.test"}, None)
