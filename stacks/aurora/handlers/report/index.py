"""Reads orders at the reader endpoint, with a token that it signs itself for a password."""

import os
from typing import Any

import boto3
import rds_tls
from pg8000.native import Connection

TIMEOUT_S = 30
STATEMENTS = {
    "count": "SELECT count(*) FROM order_lines WHERE order_id = :id",
    # It shall fail: readers take no writes.
    "remove": "DELETE FROM orders WHERE id = :id",
}

rds = boto3.client("rds")
tls = rds_tls.context()


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    connection = Connection(**login(), ssl_context=tls, timeout=TIMEOUT_S)
    try:
        [[instance, read_only]] = connection.run(
            "SELECT aurora_db_instance_identifier(), pg_is_in_recovery()"
        )
        rows = connection.run(STATEMENTS[event["action"]], id=event["order_id"])
        return {"instance": instance, "read_only": read_only, "lines": rows[0][0]}
    finally:
        connection.close()


def login() -> dict[str, Any]:
    """The token is made without asking anybody, and good for 15 minutes."""
    host, port, user = (
        os.environ["READER_HOST"],
        int(os.environ["READER_PORT"]),
        os.environ["DATABASE_USER"],
    )
    token = rds.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user)
    return {
        "user": user,
        "password": token,
        "host": host,
        "port": port,
        "database": os.environ["DATABASE"],
    }
