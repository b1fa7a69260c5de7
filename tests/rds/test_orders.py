"""What the function makes of its events, and of a connection that is lost."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from pg8000.native import DatabaseError, InterfaceError

# boto3 asks for a region when the handler makes its client, at import.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from stacks.rds.handlers.orders import index

SECRET = {"host": "primary", "port": 5432}


class Connection:
    """Notes what it is to run, and answers or fails as it is told."""

    def __init__(self, answers: dict[str, Any] | None = None) -> None:
        self.statements: list[str] = []
        self.parameters: list[dict[str, Any]] = []
        self._answers = answers or {}

    def run(self, sql: str, **parameters: Any) -> Any:
        self.statements.append(sql)
        self.parameters.append(parameters)
        for beginning, answer in self._answers.items():
            if sql.startswith(beginning):
                if isinstance(answer, Exception):
                    raise answer
                return answer
        return None


@pytest.fixture(autouse=True)
def no_connections() -> Iterator[None]:
    index.connections.clear()
    yield
    index.connections.clear()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is connected to next, in this order."""
    waiting: list[Any] = []

    def connect(*, replica: bool) -> Any:
        connection = waiting.pop(0)
        if isinstance(connection, Exception):
            raise connection
        return connection

    monkeypatch.setattr(index, "connect", connect)
    return waiting


def test_a_connection_is_kept_from_call_to_call_and_each_server_has_its_own(
    opened: list[Any],
) -> None:
    primary, replica = Connection({"SELECT": []}), Connection({"SELECT": []})
    opened += [primary, replica]

    for event in ({}, {}, {"replica": True}, {"replica": True}):
        index.handler({"action": "find", "order_id": "1", **event}, None)

    assert len(primary.statements) == len(replica.statements) == 2


@pytest.mark.parametrize(
    "loss", [InterfaceError("network error"), OSError("reset"), DatabaseError({"C": "57P01"})]
)
def test_work_is_done_again_with_a_new_connection_when_the_kept_one_is_lost(
    opened: list[Any], loss: Exception
) -> None:
    index.connections[False] = Connection({"DELETE": loss})
    new = Connection()
    opened.append(new)

    index.handler({"action": "remove", "order_id": "1"}, None)

    assert new.parameters == [{"id": "1"}]
    assert index.connections == {False: new}


def test_a_refused_statement_is_not_tried_again_and_keeps_the_connection(
    opened: list[Any],
) -> None:
    kept = Connection({"DELETE": DatabaseError({"C": "25006"})})
    index.connections[False] = kept

    with pytest.raises(DatabaseError):
        index.handler({"action": "remove", "order_id": "1"}, None)
    assert index.connections == {False: kept}


def test_a_database_that_stays_away_fails_the_call_and_the_next_one_asks_again(
    opened: list[Any],
) -> None:
    lost = index.connections[False] = Connection({"DELETE": OSError("reset")})
    opened += [OSError("refused"), Connection()]
    event = {"action": "remove", "order_id": "1"}

    with pytest.raises(OSError, match="refused"):
        index.handler(event, None)
    index.handler(event, None)
    assert len(lost.statements) == 1


def test_an_order_is_placed_whole_or_not_at_all() -> None:
    refusal = DatabaseError({"C": "23514"})
    placed, refused = Connection(), Connection({"INSERT INTO order_lines": refusal})
    event = {"order_id": "1", "lines": {"lamp": 2}}

    index.place(placed, event)
    with pytest.raises(DatabaseError):
        index.place(refused, event)

    assert (placed.statements[0], placed.statements[-1]) == ("BEGIN", "COMMIT")
    assert (refused.statements[0], refused.statements[-1]) == ("BEGIN", "ROLLBACK")


def test_what_a_caller_sends_never_becomes_part_of_a_statement() -> None:
    connection = Connection({"SELECT id": [["1"]], "SELECT article": []})
    event = {"order_id": "'; DROP TABLE orders", "lines": {"'; DROP TABLE orders": 1}}

    for action in (index.place, index.find, index.remove):
        action(connection, event)

    assert "DROP" not in "".join(connection.statements)
    assert "DROP" in str(connection.parameters)


def test_an_order_is_found_with_its_lines_or_not_found() -> None:
    lines = Connection({"SELECT id": [["1"]], "SELECT article": [["lamp", 2]]})

    assert index.find(lines, {"order_id": "1"}) == {"lamp": 2}
    assert index.find(Connection({"SELECT id": []}), {"order_id": "1"}) is None


def test_the_secret_knows_the_primary_and_the_settings_know_the_replica() -> None:
    settings = {"REPLICA_HOST": "replica", "REPLICA_PORT": "5433"}

    assert index.address(SECRET, settings, replica=False) == ("primary", 5432)
    assert index.address(SECRET, settings, replica=True) == ("replica", 5433)


def test_certificates_are_verified_against_the_hosts_name() -> None:
    assert index.tls.check_hostname
    assert index.tls.verify_mode.name == "CERT_REQUIRED"
    assert "Amazon RDS eu-west-1 Root CA RSA2048 G1" in str(index.tls.get_ca_certs())
