"""Places, finds and removes orders in a database, and tells what kind of database it is.

A connection is kept from call to call, and made anew when it is lost.
"""

import json
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import boto3
import rds_tls
from pg8000.native import Connection, DatabaseError, InterfaceError

T = TypeVar("T")

TIMEOUT_S = 5
TABLES = (
    "CREATE TABLE IF NOT EXISTS orders (id text PRIMARY KEY)",
    """CREATE TABLE IF NOT EXISTS order_lines (
        order_id text REFERENCES orders ON DELETE CASCADE,
        article text,
        quantity integer CHECK (quantity > 0),
        PRIMARY KEY (order_id, article)
    )""",
)
DESCRIPTION = """SELECT version(), pg_is_in_recovery(), current_setting('is_superuser') = 'on',
    pg_has_role('pg_execute_server_program', 'member')"""

secrets_manager = boto3.client("secretsmanager")
tls = rds_tls.context()

# By whether it is the replica's.
connections: dict[bool, Connection] = {}


def handler(event: dict[str, Any], context: object) -> Any:
    action = {"describe": describe, "place": place, "find": find, "remove": remove}[event["action"]]
    return query(lambda connection: action(connection, event), replica=event.get("replica", False))


def query(work: Callable[[Connection], T], *, replica: bool) -> T:
    """Do work with the connection, and once more with a new one if it turns out to be lost.

    Work that is done twice must come to the same: a connection may be lost after it was done.
    """
    if replica in connections:
        try:
            return work(connections[replica])
        except Exception as error:
            if not is_lost(error):
                raise
            del connections[replica]
    connections[replica] = connect(replica=replica)
    return work(connections[replica])


def is_lost(error: Exception) -> bool:
    """Whether the server, or the way to it, is gone: not whether it refused a statement."""
    if isinstance(error, DatabaseError):
        # 57P: an administrator, or a failover, has ended the session.
        return str(error.args[0].get("C")).startswith("57P")
    return isinstance(error, InterfaceError | OSError)


def connect(*, replica: bool) -> Connection:
    """Connect with the secret as it is now: it may have changed since the last time."""
    answer = secrets_manager.get_secret_value(SecretId=os.environ["SECRET_ARN"])
    secret = json.loads(answer["SecretString"])
    host, port = address(secret, os.environ, replica=replica)
    connection = Connection(
        secret["username"],
        password=secret["password"],
        host=host,
        port=port,
        database=secret["dbname"],
        ssl_context=tls,
        timeout=TIMEOUT_S,
    )
    if not replica:
        for statement in TABLES:
            connection.run(statement)
    return connection


def address(
    secret: Mapping[str, Any], settings: Mapping[str, str], *, replica: bool
) -> tuple[str, int]:
    """The secret knows where the primary is, the function's settings where the replica is."""
    if replica:
        return settings["REPLICA_HOST"], int(settings["REPLICA_PORT"])
    return secret["host"], int(secret["port"])


def describe(connection: Connection, event: dict[str, Any]) -> dict[str, Any]:
    [row] = connection.run(DESCRIPTION)
    return dict(zip(("version", "read_only", "superuser", "runs_programs"), row, strict=True))


def place(connection: Connection, event: dict[str, Any]) -> None:
    """All lines or none; a second time it changes nothing."""
    order_id = event["order_id"]
    connection.run("BEGIN")
    try:
        connection.run("INSERT INTO orders VALUES (:id) ON CONFLICT DO NOTHING", id=order_id)
        for article, quantity in event["lines"].items():
            connection.run(
                "INSERT INTO order_lines VALUES (:id, :article, :quantity) ON CONFLICT DO NOTHING",
                id=order_id,
                article=article,
                quantity=quantity,
            )
    except DatabaseError:
        connection.run("ROLLBACK")
        raise
    connection.run("COMMIT")


def find(connection: Connection, event: dict[str, Any]) -> dict[str, int] | None:
    """How many of each article were ordered; None if there is no such order."""
    order_id = event["order_id"]
    if not connection.run("SELECT id FROM orders WHERE id = :id", id=order_id):
        return None
    return dict(
        connection.run(
            "SELECT article, quantity FROM order_lines WHERE order_id = :id", id=order_id
        )
    )


def remove(connection: Connection, event: dict[str, Any]) -> None:
    connection.run("DELETE FROM orders WHERE id = :id", id=event["order_id"])
