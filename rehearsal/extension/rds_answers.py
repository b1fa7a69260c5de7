"""What RDS answers, and what else has to happen when it does."""

import asyncio
from collections.abc import Callable, Mapping
from html import escape
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

from rehearsal.extension import loopback
from rehearsal.extension.asgi import (
    Answer,
    Application,
    Message,
    Receive,
    Send,
    answer_of,
    is_signed_for,
    operation_of,
    read,
)
from rehearsal.extension.postgres import PostgresError

Parameters = Mapping[str, str]


class Record:
    """An instance or a cluster, as an answer describes it."""

    def __init__(self, described: ElementTree.Element) -> None:
        self._described = described

    def __getitem__(self, path: str) -> str:
        """A field, or one below others: ``Endpoint/Port``. Empty if it is not there."""
        return self._described.findtext("/".join(f"{{*}}{name}" for name in path.split("/")), "")

    @property
    def arn(self) -> str:
        """Which no other record has."""
        return self["DBInstanceArn"] or self["DBClusterArn"]

    @property
    def major(self) -> int:
        """The major version of its engine."""
        return int(self["EngineVersion"].split(".")[0])

    def neighbour(self, kind: str, name: str) -> str:
        """The ARN of another record, in the same account and region."""
        before, _, _ = self.arn.rsplit(":", 2)
        return f"{before}:{kind}:{name}"

    def client(self, service: str) -> Any:
        """A boto3 client in its account and region."""
        _, _, _, region, account, *_ = self.arn.split(":")
        return loopback.client(service, account=account, region=region)

    def delete(self) -> None:
        """Have RDS forget it."""
        if name := self["DBInstanceIdentifier"]:
            self.client("rds").delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
        else:
            self.client("rds").delete_db_cluster(
                DBClusterIdentifier=self["DBClusterIdentifier"], SkipFinalSnapshot=True
            )


Follow = Callable[[Record, Parameters], None]


def following(app: Application, element: str, followed: Mapping[str, Follow]) -> Application:
    """Have something happen when ``app`` has done an operation, and before it answers.

    If that fails, so does the operation; what it has created is deleted again.

    Args:
        app: MiniStack, or what wraps it.
        element: What the answers describe, as their XML calls it.
        followed: By operation, given the record and the request's parameters.
    """

    async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
        if not is_signed_for("rds", scope):
            await app(scope, receive, send)
            return
        body = await read(receive)
        answer = await answer_of(app, scope, body)
        operation = operation_of(body)
        if operation in followed and answer.succeeded:
            described = ElementTree.fromstring(answer.body).find(f".//{{*}}{element}")
            assert described is not None
            record, parameters = Record(described), dict(parse_qsl(body.decode()))
            try:
                await asyncio.to_thread(followed[operation], record, parameters)
            except (PostgresError, OSError) as error:
                answer = _failure(str(error))
                if operation.startswith("Create"):
                    await asyncio.to_thread(record.delete)
        await answer.send(send)

    return wrapped


def _failure(message: str) -> Answer:
    body = (
        "<ErrorResponse><Error><Type>Receiver</Type><Code>InternalFailure</Code>"
        f"<Message>{escape(message)}</Message></Error></ErrorResponse>"
    )
    headers = [(b"content-type", b"text/xml")]
    return Answer(
        [
            {"type": "http.response.start", "status": 500, "headers": headers},
            {"type": "http.response.body", "body": body.encode()},
        ]
    )
