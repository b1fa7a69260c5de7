"""See the database work: ``make rehearse BLUEPRINT=rds``, or ``make exercise`` once on AWS.

On AWS it takes most of an hour, for about ten cents: it adds a read replica where there is none,
and gives the database a standby for as long as it takes to fail over to it.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from rehearsal.fixtures import Client, Eventually, FunctionError, Invoke

FAMILIES = {"db2", "mariadb", "mysql", "oracle", "postgres", "sqlserver"}
READ_ONLY_TRANSACTION, CHECK_VIOLATION = "25006", "23514"

Description = dict[str, Any]
Orders = Callable[..., Any]
Outputs = dict[str, str]


@pytest.fixture(scope="module")
def orders(invoke: Invoke, outputs: Outputs) -> Orders:
    """The function in the VPC, the only one to reach the database: ``orders("describe")``."""
    return lambda action, **event: invoke(outputs["OrdersName"], action=action, **event)


@pytest.fixture
def order_id(orders: Orders) -> Iterator[str]:
    """An order that nobody has placed yet; in the end it is gone."""
    order_id = f"exercise-{uuid4().hex}"
    yield order_id
    orders("remove", order_id=order_id)


@pytest.fixture(scope="module")
def database(client: Client, outputs: Outputs) -> Callable[[], Description]:
    """What RDS says of the database now."""

    def describe() -> Description:
        described: Description = client("rds").describe_db_instances(
            DBInstanceIdentifier=outputs["DatabaseId"]
        )["DBInstances"][0]
        return described

    return describe


@pytest.fixture(scope="module")
def replica(
    client: Client, outputs: Outputs, database: Callable[[], Description]
) -> Iterator[Description]:
    """The stack's read replica, or one for as long as this takes, which the function knows."""
    rds, primary = client("rds"), database()
    if names := primary["ReadReplicaDBInstanceIdentifiers"]:
        yield rds.describe_db_instances(DBInstanceIdentifier=names[0])["DBInstances"][0]
        return

    name = f"exercise-{uuid4().hex[:8]}"
    rds.create_db_instance_read_replica(
        DBInstanceIdentifier=name,
        SourceDBInstanceIdentifier=primary["DBInstanceIdentifier"],
        PubliclyAccessible=False,
        VpcSecurityGroupIds=[group["VpcSecurityGroupId"] for group in primary["VpcSecurityGroups"]],
    )
    lambda_, function = client("lambda"), {"FunctionName": outputs["OrdersName"]}
    before = lambda_.get_function_configuration(**function)["Environment"]["Variables"]

    def configure(variables: dict[str, str]) -> None:
        # The function starts anew, without any connection.
        lambda_.update_function_configuration(**function, Environment={"Variables": variables})
        lambda_.get_waiter("function_updated_v2").wait(**function)

    try:
        rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier=name)
        described = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        endpoint = described["Endpoint"]
        host, port = endpoint["Address"], str(endpoint["Port"])
        configure({**before, "REPLICA_HOST": host, "REPLICA_PORT": port})
        yield described
    finally:
        configure(before)
        rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)
        rds.get_waiter("db_instance_deleted").wait(DBInstanceIdentifier=name)


@pytest.mark.concept("rds.managed")
def test_a_function_in_the_vpc_connects_with_a_password_that_nobody_typed(
    client: Client, outputs: Outputs, orders: Orders, database: Callable[[], Description]
) -> None:
    described = database()
    version = orders("describe")["version"]
    assert version.startswith(f"PostgreSQL {described['EngineVersion'].split('.')[0]}.")

    secret = json.loads(
        client("secretsmanager").get_secret_value(SecretId=outputs["SecretArn"])["SecretString"]
    )
    assert len(secret["password"]) >= 30
    endpoint = described["Endpoint"]
    assert (secret["host"], int(secret["port"])) == (endpoint["Address"], endpoint["Port"])
    assert (secret["username"], secret["dbname"]) == (described["MasterUsername"], "orders")


@pytest.mark.concept("rds.managed")
def test_the_master_user_is_neither_superuser_nor_gets_a_shell_on_the_host(orders: Orders) -> None:
    description = orders("describe")

    assert description["superuser"] is False
    assert description["runs_programs"] is False


@pytest.mark.concept("rds.managed")
def test_rds_keeps_backups_and_installs_minor_versions_by_itself(
    database: Callable[[], Description],
) -> None:
    described = database()

    assert described["BackupRetentionPeriod"] > 0
    assert described["AutoMinorVersionUpgrade"] is True
    assert described["StorageEncrypted"] is True
    assert described["PubliclyAccessible"] is False


@pytest.mark.concept("rds.managed")
def test_of_an_order_with_a_line_that_is_refused_no_line_stays(
    orders: Orders, order_id: str
) -> None:
    with pytest.raises(FunctionError, match=CHECK_VIOLATION):
        orders("place", order_id=order_id, lines={"lamp": 2, "table": 0})
    assert orders("find", order_id=order_id) is None

    for _ in range(2):
        orders("place", order_id=order_id, lines={"lamp": 2, "table": 1})
    assert orders("find", order_id=order_id) == {"lamp": 2, "table": 1}


@pytest.mark.concept("rds.managed")
def test_after_a_reboot_the_function_connects_anew_and_every_order_is_there(
    client: Client,
    outputs: Outputs,
    orders: Orders,
    order_id: str,
    eventually: Eventually,
) -> None:
    orders("place", order_id=order_id, lines={"lamp": 1})
    rds = client("rds")
    rds.reboot_db_instance(DBInstanceIdentifier=outputs["DatabaseId"])
    rds.get_waiter("db_instance_available").wait(DBInstanceIdentifier=outputs["DatabaseId"])

    assert orders("find", order_id=order_id) == {"lamp": 1}

    def restarted() -> bool:
        events = rds.describe_events(
            SourceIdentifier=outputs["DatabaseId"], SourceType="db-instance", Duration=60
        )["Events"]
        return any("restarted" in event["Message"] for event in events)

    eventually(restarted, within=120)


@pytest.mark.aws_only
@pytest.mark.concept("rds.engines")
def test_rds_offers_six_families_of_engines_besides_aurora(client: Client) -> None:
    pages = client("rds").get_paginator("describe_db_engine_versions").paginate()
    engines = {each["Engine"].split("-")[0] for page in pages for each in page["DBEngineVersions"]}

    assert engines >= FAMILIES | {"aurora"}


@pytest.mark.concept("rds.storage-autoscaling")
def test_storage_may_grow_beyond_what_is_allocated(database: Callable[[], Description]) -> None:
    described = database()

    assert described["MaxAllocatedStorage"] == 100
    assert described["AllocatedStorage"] < described["MaxAllocatedStorage"]


@pytest.mark.concept("rds.read-replica")
def test_what_the_primary_has_the_replica_gets_later_and_it_takes_no_writes(
    orders: Orders, replica: Description, order_id: str, eventually: Eventually
) -> None:
    assert orders("describe", replica=True)["read_only"] is True
    assert orders("describe")["read_only"] is False

    orders("place", order_id=order_id, lines={"lamp": 3})
    found = eventually(lambda: orders("find", order_id=order_id, replica=True))
    assert found == {"lamp": 3}

    with pytest.raises(FunctionError, match=READ_ONLY_TRANSACTION):
        orders("remove", order_id=order_id, replica=True)
    assert orders("find", order_id=order_id) == {"lamp": 3}


@pytest.mark.aws_only
@pytest.mark.concept("rds.read-replica")
def test_cloudwatch_tells_how_late_the_replica_is(
    client: Client, replica: Description, eventually: Eventually
) -> None:
    def lag() -> list[Description]:
        now = time.time()
        points: list[Description] = client("cloudwatch").get_metric_statistics(
            Namespace="AWS/RDS",
            MetricName="ReplicaLag",
            Dimensions=[{"Name": "DBInstanceIdentifier", "Value": replica["DBInstanceIdentifier"]}],
            StartTime=now - 600,
            EndTime=now,
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        return points

    assert all(point["Maximum"] >= 0 for point in eventually(lag, within=600))


@pytest.fixture
def standby(
    client: Client, database: Callable[[], Description], eventually: Eventually
) -> Iterator[None]:
    """The database has a standby in another zone, for as long as this takes if it had none."""
    rds, before = client("rds"), database()

    def set_multi_az(wanted: bool) -> None:
        if database()["MultiAZ"] is not wanted:
            rds.modify_db_instance(
                DBInstanceIdentifier=before["DBInstanceIdentifier"],
                MultiAZ=wanted,
                ApplyImmediately=True,
            )
        eventually(
            lambda: (
                database()["MultiAZ"] is wanted and database()["DBInstanceStatus"] == "available"
            ),
            within=3600,
        )

    set_multi_az(True)
    yield
    set_multi_az(before["MultiAZ"])


@pytest.mark.aws_only
@pytest.mark.concept("rds.multi-az")
def test_the_standby_takes_over_behind_the_same_endpoint_in_about_a_minute(
    client: Client,
    orders: Orders,
    order_id: str,
    standby: None,
    database: Callable[[], Description],
    eventually: Eventually,
) -> None:
    orders("place", order_id=order_id, lines={"lamp": 4})
    before = database()
    client("rds").reboot_db_instance(
        DBInstanceIdentifier=before["DBInstanceIdentifier"], ForceFailover=True
    )

    def answers() -> bool:
        try:
            return bool(orders("find", order_id=order_id) == {"lamp": 4})
        except FunctionError:
            return False

    eventually(lambda: not answers(), within=120)
    failed = time.monotonic()
    eventually(answers, within=300)
    assert time.monotonic() - failed < 180

    eventually(lambda: database()["AvailabilityZone"] != before["AvailabilityZone"], within=900)
    assert database()["Endpoint"] == before["Endpoint"]
