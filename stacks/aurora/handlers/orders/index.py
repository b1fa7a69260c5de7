"""Places, finds and removes orders through the Data API: no connection, no VPC, no password."""

import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

import boto3

T = TypeVar("T")

# A paused instance takes about 15 seconds to wake up:
# https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/aurora-serverless-v2-auto-pause.html
WAKING_S = 45
STATEMENTS = (
    "CREATE TABLE IF NOT EXISTS orders (id text PRIMARY KEY)",
    """CREATE TABLE IF NOT EXISTS order_lines (
        order_id text REFERENCES orders ON DELETE CASCADE,
        article text,
        quantity integer CHECK (quantity > 0),
        PRIMARY KEY (order_id, article)
    )""",
    # Whom Report logs in as, with a token of IAM's.
    """DO $$ BEGIN
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'report') THEN
            CREATE ROLE report LOGIN;
            GRANT rds_iam TO report;
        END IF;
    END $$""",
    "GRANT SELECT ON orders, order_lines TO report",
)

data_api = boto3.client("rds-data")
prepared = False


def handler(event: dict[str, Any], context: object) -> Any:
    global prepared
    if not prepared:
        for statement in STATEMENTS:
            execute(statement)
        prepared = True
    return {"describe": describe, "place": place, "find": find, "remove": remove}[event["action"]](
        event
    )


def target() -> dict[str, str]:
    return {
        "resourceArn": os.environ["CLUSTER_ARN"],
        "secretArn": os.environ["SECRET_ARN"],
    }


def execute(sql: str, transaction: str | None = None, **parameters: Any) -> list[list[Any]]:
    """Run one statement; its parameters are written ``:name`` in it."""
    within = {"transactionId": transaction} if transaction else {}
    answer = when_awake(
        lambda: data_api.execute_statement(
            **target(),
            **within,
            database=os.environ["DATABASE"],
            sql=sql,
            parameters=[{"name": name, "value": field(it)} for name, it in parameters.items()],
        )
    )
    return [[value(each) for each in record] for record in answer.get("records", [])]


def when_awake(call: Callable[[], T]) -> T:
    """Call again while the database is waking up."""
    deadline = time.monotonic() + WAKING_S
    while True:
        try:
            return call()
        except data_api.exceptions.DatabaseResumingException:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


def field(given: str | int) -> dict[str, Any]:
    return {"longValue": given} if isinstance(given, int) else {"stringValue": given}


def value(field: dict[str, Any]) -> Any:
    [(kind, given)] = field.items()
    return None if kind == "isNull" else given


def describe(event: dict[str, Any]) -> dict[str, Any]:
    [[version, read_only]] = execute("SELECT version(), pg_is_in_recovery()")
    return {"version": version, "read_only": read_only}


def place(event: dict[str, Any]) -> None:
    """All lines or none; a second time it changes nothing."""
    order_id = event["order_id"]
    begin = when_awake(
        lambda: data_api.begin_transaction(**target(), database=os.environ["DATABASE"])
    )
    transaction = begin["transactionId"]
    try:
        execute("INSERT INTO orders VALUES (:id) ON CONFLICT DO NOTHING", transaction, id=order_id)
        for article, quantity in event["lines"].items():
            execute(
                "INSERT INTO order_lines VALUES (:id, :article, :quantity) ON CONFLICT DO NOTHING",
                transaction,
                id=order_id,
                article=article,
                quantity=quantity,
            )
    except Exception:
        data_api.rollback_transaction(**target(), transactionId=transaction)
        raise
    data_api.commit_transaction(**target(), transactionId=transaction)


def find(event: dict[str, Any]) -> dict[str, int] | None:
    """How many of each article were ordered; None if there is no such order."""
    order_id = event["order_id"]
    if not execute("SELECT id FROM orders WHERE id = :id", id=order_id):
        return None
    lines = "SELECT article, quantity FROM order_lines WHERE order_id = :id"
    return dict(execute(lines, id=order_id))


def remove(event: dict[str, Any]) -> None:
    execute("DELETE FROM orders WHERE id = :id", id=event["order_id"])
