"""Aurora's clusters: one real PostgreSQL each, which the Data API speaks to.

The instances of a cluster share its data, so here they share its server: which one is the writer is
all that tells them apart. Nothing answers at a cluster's endpoints.
"""

import itertools
import json
from collections.abc import Mapping
from pathlib import Path

from rehearsal.extension import loopback, ministack
from rehearsal.extension.asgi import Application
from rehearsal.extension.emulated import Emulated, Properties
from rehearsal.extension.names import generated_name
from rehearsal.extension.postgres import Master, PostgresServer
from rehearsal.extension.rds_answers import Follow, Parameters, Record, following
from rehearsal.extension.resource_type import Request, ResourceType
from rehearsal.extension.shapes import call


class _Clusters:
    """The servers behind clusters, by ARN."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._servers: dict[str, PostgresServer] = {}
        self._numbers = itertools.count(1)
        self.followed: Mapping[str, Follow] = {
            "CreateDBCluster": self._create,
            "FailoverDBCluster": self._fail_over,
            "DeleteDBCluster": self._delete,
        }

    def _create(self, cluster: Record, parameters: Parameters) -> None:
        if cluster["Engine"] == "aurora-postgresql":
            directory = self._directory / f"au{next(self._numbers)}"
            server = PostgresServer(directory, cluster.major)
            self._servers[cluster.arn] = server
            server.create(
                Master(
                    cluster["MasterUsername"],
                    parameters.get("MasterUserPassword") or _managed_password(cluster),
                    cluster["DatabaseName"] or cluster["MasterUsername"],
                )
            )

    def _fail_over(self, cluster: Record, parameters: Parameters) -> None:
        """Whoever is connected is so to the old writer."""
        if server := self._servers.get(cluster.arn):
            server.stop()
            server.start()

    def _delete(self, cluster: Record, parameters: Parameters) -> None:
        if server := self._servers.pop(cluster.arn, None):
            server.remove()

    def join(self, instance: Record, parameters: Parameters) -> None:
        """Have the Data API find the cluster's server by one of its instances."""
        arn = instance.neighbour("cluster", instance["DBClusterIdentifier"])
        if server := self._servers.get(arn):
            ministack.connect_data_api(instance.arn, server.directory)


def with_clusters(app: Application, directory: Path) -> Application:
    """Have a server stand behind each Aurora cluster that ``app`` describes.

    Args:
        app: MiniStack, or what wraps it.
        directory: Of the servers; deleted with the rehearsal's.
    """
    clusters = _Clusters(directory)
    app = following(app, "DBCluster", clusters.followed)
    return following(app, "DBInstance", {"CreateDBInstance": clusters.join})


def _managed_password(cluster: Record) -> str:
    secret = cluster.client("secretsmanager").get_secret_value(
        SecretId=cluster["MasterUserSecret/SecretArn"]
    )
    return str(json.loads(secret["SecretString"])["password"])


def _cluster_parameters(request: Request) -> Properties:
    return {
        "DBClusterIdentifier": request.properties.get("DBClusterIdentifier")
        or generated_name(request, longest=63).lower()
    }


def _change_cluster(physical_id: str, old: Properties, request: Request) -> None:
    changed = {n: v for n, v in request.properties.items() if old.get(n) != v}
    call(
        loopback.client("rds"),
        "modify_db_cluster",
        {**changed, "DBClusterIdentifier": physical_id, "ApplyImmediately": True},
    )


EMULATED: dict[str, ResourceType] = {
    "AWS::RDS::DBCluster": Emulated(
        service="rds",
        create_operation="create_db_cluster",
        identifier="Answer.DBCluster.DBClusterIdentifier",
        attributes={
            "DBClusterArn": "Answer.DBCluster.DBClusterArn",
            "DBClusterResourceId": "Answer.DBCluster.DbClusterResourceId",
            "Endpoint.Address": "Answer.DBCluster.Endpoint",
            "Endpoint.Port": "to_string(Answer.DBCluster.Port)",
            "MasterUserSecret.SecretArn": "Answer.DBCluster.MasterUserSecret.SecretArn",
            "ReadEndpoint.Address": "Answer.DBCluster.ReaderEndpoint",
        },
        parameters=_cluster_parameters,
        change=_change_cluster,
        delete_operation="delete_db_cluster",
        delete_parameters={"DBClusterIdentifier": "Id", "SkipFinalSnapshot": "`true`"},
    ),
}
