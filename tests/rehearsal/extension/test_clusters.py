"""What stands behind an emulated Aurora cluster: a PostgreSQL that the Data API speaks to."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.extension.conftest import Client, Deploy, Resources, Server, Stack

CLUSTER: Resources = {
    "Cluster": {
        "Type": "AWS::RDS::DBCluster",
        "DeletionPolicy": "Delete",
        "Properties": {
            "Engine": "aurora-postgresql",
            "EngineVersion": "16.13",
            "DatabaseName": "shop",
            "MasterUsername": "ada",
            "ManageMasterUserPassword": True,
            "EnableHttpEndpoint": True,
            "ServerlessV2ScalingConfiguration": {"MinCapacity": 0, "MaxCapacity": 1},
        },
    },
    "Writer": {
        "Type": "AWS::RDS::DBInstance",
        "Properties": {
            "DBClusterIdentifier": {"Ref": "Cluster"},
            "DBInstanceClass": "db.serverless",
            "Engine": "aurora-postgresql",
        },
    },
    "Reader": {
        "Type": "AWS::RDS::DBInstance",
        "DependsOn": "Writer",
        "Properties": {
            "DBClusterIdentifier": {"Ref": "Cluster"},
            "DBInstanceClass": "db.serverless",
            "Engine": "aurora-postgresql",
        },
    },
}
OUTPUTS = {
    "Arn": {"Fn::GetAtt": ["Cluster", "DBClusterArn"]},
    "Secret": {"Fn::GetAtt": ["Cluster", "MasterUserSecret.SecretArn"]},
}


class DataApi:
    """SQL in the cluster of a stack."""

    def __init__(self, client: Any, stack: Stack) -> None:
        self.client = client
        self.target = {"resourceArn": stack.outputs["Arn"], "secretArn": stack.outputs["Secret"]}

    def __call__(self, sql: str, **options: Any) -> list[list[Any]]:
        answer = self.client.execute_statement(**self.target, database="shop", sql=sql, **options)
        return [[next(iter(field.values())) for field in row] for row in answer["records"]]

    def begin(self) -> str:
        begun = self.client.begin_transaction(**self.target, database="shop")
        return str(begun["transactionId"])


@pytest.fixture
def stack(deploy: Deploy) -> Stack:
    return deploy(CLUSTER, **OUTPUTS)


@pytest.fixture
def sql(client: Client, stack: Stack) -> DataApi:
    return DataApi(client("rds-data"), stack)


def writer(client: Client, stack: Stack) -> str:
    described = client("rds").describe_db_clusters(DBClusterIdentifier=stack["Cluster"])
    [name] = [
        member["DBInstanceIdentifier"]
        for member in described["DBClusters"][0]["DBClusterMembers"]
        if member["IsClusterWriter"]
    ]
    return str(name)


def test_the_data_api_speaks_to_a_server_of_the_described_version(sql: DataApi) -> None:
    [[version, user]] = sql("SELECT version(), current_user")

    assert version.startswith("PostgreSQL 16.")
    assert user == "ada"


def test_what_is_rolled_back_never_was(sql: DataApi) -> None:
    sql("CREATE TABLE numbers (number integer)")
    for end in (sql.client.rollback_transaction, sql.client.commit_transaction):
        transaction = sql.begin()
        sql("INSERT INTO numbers VALUES (1)", transactionId=transaction)
        end(**sql.target, transactionId=transaction)

    assert sql("SELECT count(*) FROM numbers") == [[1]]


def test_a_failover_swaps_the_roles_ends_transactions_and_keeps_the_data(
    client: Client, stack: Stack, sql: DataApi
) -> None:
    sql("CREATE TABLE kept AS SELECT 1 AS number")
    transaction = sql.begin()
    assert writer(client, stack) == stack["Writer"]

    client("rds").failover_db_cluster(DBClusterIdentifier=stack["Cluster"])

    assert writer(client, stack) == stack["Reader"]
    with pytest.raises(ClientError):
        sql("SELECT 1", transactionId=transaction)
    assert sql("SELECT number FROM kept") == [[1]]


def test_a_deleted_stack_deletes_the_cluster_and_the_password_that_rds_made(
    client: Client, server: Server, stack: Stack, sql: DataApi
) -> None:
    secret = stack.outputs["Secret"]
    assert list(server.state.glob("au*"))
    stack.delete()
    assert not list(server.state.glob("au*"))

    with pytest.raises(ClientError, match="not found"):
        sql("SELECT 1")
    with pytest.raises(ClientError):
        client("secretsmanager").get_secret_value(SecretId=secret)


def test_a_version_that_is_not_there_fails_with_the_reason_and_leaves_nothing(
    attempt: Deploy, client: Client
) -> None:
    def names() -> set[str]:
        listed = client("rds").describe_db_clusters()["DBClusters"]
        return {each["DBClusterIdentifier"] for each in listed}

    before = names()
    properties = {**CLUSTER["Cluster"]["Properties"], "EngineVersion": "17.9"}
    stack = attempt({"Cluster": {**CLUSTER["Cluster"], "Properties": properties}})

    assert stack.status == "ROLLBACK_COMPLETE"
    assert "the rehearsal has PostgreSQL 16 and 18, not 17" in stack.reasons[-1]
    assert names() == before
