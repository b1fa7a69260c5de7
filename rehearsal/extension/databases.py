"""RDS's database instances: what the service describes, with a real PostgreSQL behind it.

The rows have the service make, change and delete the records. Whoever asks it to, CloudFormation or
a client: a server of the same major version is then started, stopped or copied, to agree with what
the service answers. An endpoint is ``localhost`` and a port of its own, whatever port the template
asks for. Behind engines other than PostgreSQL there is nothing; see ``clusters`` for Aurora.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import ClientError

from rehearsal.extension import loopback
from rehearsal.extension.asgi import Application
from rehearsal.extension.certificates import server_context
from rehearsal.extension.emulated import Emulated, Properties
from rehearsal.extension.names import generated_name
from rehearsal.extension.postgres import Master, PostgresServer
from rehearsal.extension.postgres_endpoint import Endpoint, free_port
from rehearsal.extension.rds_answers import Follow, Parameters, Record, following
from rehearsal.extension.resource_type import Attributes, Created, Request, ResourceType
from rehearsal.extension.shapes import call


@dataclass(frozen=True)
class _Database:
    server: PostgresServer
    endpoint: Endpoint


class _Databases:
    """The servers behind instances, by ARN."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._databases: dict[str, _Database] = {}
        self._numbers = itertools.count(1)
        self.followed: Mapping[str, Follow] = {
            "CreateDBInstance": self._create,
            "CreateDBInstanceReadReplica": self._replicate,
            "ModifyDBInstance": self._modify,
            "StopDBInstance": self._stop,
            "StartDBInstance": self._start,
            "RebootDBInstance": self._reboot,
            "DeleteDBInstance": self._delete,
        }

    def _create(self, instance: Record, parameters: Parameters) -> None:
        if instance["Engine"] == "postgres":
            self._add(instance).create(_master(instance, parameters))

    def _replicate(self, instance: Record, parameters: Parameters) -> None:
        arn = instance.neighbour("db", instance["ReadReplicaSourceDBInstanceIdentifier"])
        if source := self._databases.get(arn):
            self._add(instance, source.server).replicate()

    def _modify(self, instance: Record, parameters: Parameters) -> None:
        if "MasterUserPassword" in parameters and (database := self._databases.get(instance.arn)):
            database.server.change_password(_master(instance, parameters))

    def _stop(self, instance: Record, parameters: Parameters) -> None:
        if database := self._databases.get(instance.arn):
            database.endpoint.close()
            database.server.stop()

    def _start(self, instance: Record, parameters: Parameters) -> None:
        if database := self._databases.get(instance.arn):
            database.server.start()
            database.endpoint.open(requires_tls=_forces_tls(instance))

    def _reboot(self, instance: Record, parameters: Parameters) -> None:
        self._stop(instance, parameters)
        self._start(instance, parameters)

    def _delete(self, instance: Record, parameters: Parameters) -> None:
        if database := self._databases.pop(instance.arn, None):
            database.endpoint.close()
            database.server.remove()

    def _add(self, instance: Record, source: PostgresServer | None = None) -> PostgresServer:
        # The names of sockets are short, so the directory's is.
        directory = self._directory / f"pg{next(self._numbers)}"
        server = PostgresServer(directory, instance.major, source)
        endpoint = Endpoint(int(instance["Endpoint/Port"]), server.socket, server_context())
        # Before there is anything behind it: the port was free a moment ago.
        endpoint.open(requires_tls=_forces_tls(instance))
        self._databases[instance.arn] = _Database(server, endpoint)
        return server


def with_databases(app: Application, directory: Path) -> Application:
    """Have a server stand behind each instance of PostgreSQL that ``app`` describes.

    Args:
        app: MiniStack, or what wraps it.
        directory: Of the servers; deleted with the rehearsal's.
    """
    return following(app, "DBInstance", _Databases(directory).followed)


def _master(instance: Record, parameters: Parameters) -> Master:
    return Master(instance["MasterUsername"], parameters["MasterUserPassword"], instance["DBName"])


def _forces_tls(instance: Record) -> bool:
    """What its parameter group says of ``rds.force_ssl``."""
    group = instance["DBParameterGroups/DBParameterGroup/DBParameterGroupName"]
    try:
        parameters = instance.client("rds").describe_db_parameters(
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
