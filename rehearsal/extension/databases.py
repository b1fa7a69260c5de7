"""RDS's databases: what the service describes, with a real PostgreSQL behind it.

The rows have the service make, change and delete the records. Whoever asks it to, CloudFormation or
a client: its answers pass through here, and a server of the same major version is started, stopped
or copied to agree with them. An endpoint is ``localhost`` and a port of its own, whatever port the
template asks for. Behind engines other than PostgreSQL there is nothing.
"""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

from botocore.exceptions import ClientError

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
from rehearsal.extension.certificates import server_context
from rehearsal.extension.emulated import Emulated, Properties
from rehearsal.extension.names import generated_name
from rehearsal.extension.postgres import Master, PostgresError, PostgresServer
from rehearsal.extension.postgres_endpoint import Endpoint, free_port
from rehearsal.extension.resource_type import Attributes, Created, Request, ResourceType
from rehearsal.extension.shapes import call

Parameters = Mapping[str, str]


class _Instance:
    """A record of RDS's, as an answer describes it."""

    def __init__(self, described: ElementTree.Element) -> None:
        self._described = described

    def __getitem__(self, path: str) -> str:
        return self._described.findtext("/".join(f"{{*}}{name}" for name in path.split("/")), "")

    @property
    def arn(self) -> str:
        return self["DBInstanceArn"]

    @property
    def source_arn(self) -> str:
        before, _, _ = self.arn.rpartition(":")
        return f"{before}:{self['ReadReplicaSourceDBInstanceIdentifier']}"

    @property
    def major(self) -> int:
        return int(self["EngineVersion"].split(".")[0])

    def forces_tls(self) -> bool:
        """What its parameter group says of ``rds.force_ssl``."""
        group = self["DBParameterGroups/DBParameterGroup/DBParameterGroupName"]
        try:
            parameters = self._rds().describe_db_parameters(
                DBParameterGroupName=group, Source="user"
            )["Parameters"]
        except ClientError as error:
            if not loopback.is_gone(error):
                raise
            parameters = []
        # On since version 15 unless it is switched off:
        # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html
        return not any(
            each["ParameterName"] == "rds.force_ssl" and each["ParameterValue"] == "0"
            for each in parameters
        )

    def delete(self) -> None:
        """Have RDS forget it."""
        self._rds().delete_db_instance(
            DBInstanceIdentifier=self["DBInstanceIdentifier"], SkipFinalSnapshot=True
        )

    def _rds(self) -> Any:
        _, _, _, region, account, *_ = self.arn.split(":")
        return loopback.client("rds", account=account, region=region)


@dataclass(frozen=True)
class _Database:
    server: PostgresServer
    endpoint: Endpoint


class _Databases:
    """The servers behind RDS's records, by ARN."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._databases: dict[str, _Database] = {}
        self._numbers = itertools.count(1)
        self.followed: dict[str, Callable[[_Instance, Parameters], None]] = {
            "CreateDBInstance": self._create,
            "CreateDBInstanceReadReplica": self._replicate,
            "ModifyDBInstance": self._modify,
            "StopDBInstance": self._stop,
            "StartDBInstance": self._start,
            "RebootDBInstance": self._reboot,
            "DeleteDBInstance": self._delete,
        }

    def _create(self, instance: _Instance, parameters: Parameters) -> None:
        if instance["Engine"] == "postgres":
            self._add(instance).create(_master(instance, parameters))

    def _replicate(self, instance: _Instance, parameters: Parameters) -> None:
        if source := self._databases.get(instance.source_arn):
            self._add(instance, source.server).replicate()

    def _modify(self, instance: _Instance, parameters: Parameters) -> None:
        if "MasterUserPassword" in parameters and (database := self._databases.get(instance.arn)):
            database.server.change_password(_master(instance, parameters))

    def _stop(self, instance: _Instance, parameters: Parameters) -> None:
        if database := self._databases.get(instance.arn):
            database.endpoint.close()
            database.server.stop()

    def _start(self, instance: _Instance, parameters: Parameters) -> None:
        if database := self._databases.get(instance.arn):
            database.server.start()
            database.endpoint.open(requires_tls=instance.forces_tls())

    def _reboot(self, instance: _Instance, parameters: Parameters) -> None:
        self._stop(instance, parameters)
        self._start(instance, parameters)

    def _delete(self, instance: _Instance, parameters: Parameters) -> None:
        if database := self._databases.pop(instance.arn, None):
            database.endpoint.close()
            database.server.remove()

    def _add(self, instance: _Instance, source: PostgresServer | None = None) -> PostgresServer:
        # The names of sockets are short, so the directory's is.
        directory = self._directory / f"pg{next(self._numbers)}"
        server = PostgresServer(directory, instance.major, source)
        endpoint = Endpoint(int(instance["Endpoint/Port"]), server.socket, server_context())
        # Before there is anything behind it: the port was free a moment ago.
        endpoint.open(requires_tls=instance.forces_tls())
        self._databases[instance.arn] = _Database(server, endpoint)
        return server


def with_databases(app: Application, directory: Path) -> Application:
    """Have a server stand behind each database that ``app`` describes.

    Args:
        app: MiniStack, or what wraps it.
        directory: Of the servers; deleted with the rehearsal's.
    """
    databases = _Databases(directory)

    async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
        if not is_signed_for("rds", scope):
            await app(scope, receive, send)
            return
        body = await read(receive)
        answer = await answer_of(app, scope, body)
        operation = operation_of(body)
        follow = databases.followed.get(operation)
        if follow and answer.succeeded:
            described = ElementTree.fromstring(answer.body).find(".//{*}DBInstance")
            assert described is not None
            instance, parameters = _Instance(described), dict(parse_qsl(body.decode()))
            try:
                await asyncio.to_thread(follow, instance, parameters)
            except (PostgresError, OSError) as error:
                answer = _failure(str(error))
                if operation.startswith("CreateDBInstance"):
                    await asyncio.to_thread(instance.delete)
        await answer.send(send)

    return wrapped


def _master(instance: _Instance, parameters: Parameters) -> Master:
    return Master(instance["MasterUsername"], parameters["MasterUserPassword"], instance["DBName"])


def _failure(message: str) -> Answer:
    body = (
        "<ErrorResponse><Error><Type>Receiver</Type><Code>InternalFailure</Code>"
        f"<Message>{escape(message)}</Message></Error></ErrorResponse>"
    )
    start = {
        "type": "http.response.start",
        "status": 500,
        "headers": [(b"content-type", b"text/xml")],
    }
    return Answer([start, {"type": "http.response.body", "body": body.encode()}])


def _instance_parameters(request: Request) -> Properties:
    given = request.properties
    return {
        "DBInstanceIdentifier": given.get("DBInstanceIdentifier")
        or generated_name(request, longest=63).lower(),
        "Port": free_port(),
        "VpcSecurityGroupIds": given.get("VPCSecurityGroups"),
    }


def _change_instance(physical_id: str, old: Properties, request: Request) -> None:
    changed = {n: v for n, v in request.properties.items() if old.get(n) != v}
    call(
        loopback.client("rds"),
        "modify_db_instance",
        {**changed, "DBInstanceIdentifier": physical_id, "ApplyImmediately": True},
    )


def _instance(create_operation: str) -> Emulated:
    return Emulated(
        service="rds",
        create_operation=create_operation,
        identifier="Answer.DBInstance.DBInstanceIdentifier",
        attributes={
            "DBInstanceArn": "Answer.DBInstance.DBInstanceArn",
            "DbiResourceId": "Answer.DBInstance.DbiResourceId",
            "Endpoint.Address": "Answer.DBInstance.Endpoint.Address",
            "Endpoint.Port": "to_string(Answer.DBInstance.Endpoint.Port)",
        },
        parameters=_instance_parameters,
        change=_change_instance,
        delete_operation="delete_db_instance",
        delete_parameters={"DBInstanceIdentifier": "Id", "SkipFinalSnapshot": "`true`"},
    )


class _DatabaseInstance:
    """An instance, or one that replicates another: the service has an operation for each."""

    def __init__(self) -> None:
        self._primary = _instance("create_db_instance")
        self._replica = _instance("create_db_instance_read_replica")

    def create(self, request: Request) -> Created:
        return self._kind(request.properties).create(request)

    def update(self, physical_id: str, old: Properties, request: Request) -> Attributes:
        return self._kind(request.properties).update(physical_id, old, request)

    def delete(self, physical_id: str, properties: Properties) -> None:
        self._kind(properties).delete(physical_id, properties)

    def _kind(self, properties: Properties) -> Emulated:
        return self._replica if "SourceDBInstanceIdentifier" in properties else self._primary


EMULATED: dict[str, ResourceType] = {"AWS::RDS::DBInstance": _DatabaseInstance()}
