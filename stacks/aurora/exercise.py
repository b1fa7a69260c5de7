"""See the cluster work: ``make rehearse BLUEPRINT=aurora``, or ``make exercise`` once on AWS.

On AWS it takes about half an hour, most of it waiting for the cluster to pause, and a few cents.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from rehearsal.fixtures import Client, Eventually, FunctionError, Invoke

READ_ONLY_TRANSACTION, CHECK_VIOLATION = "25006", "order_lines_quantity_check"

Description = dict[str, Any]
Function = Callable[..., Any]
Outputs = dict[str, str]


@pytest.fixture(scope="module")
def orders(invoke: Invoke, outputs: Outputs) -> Function:
    """Writes through the Data API: ``orders("find", order_id="42")``."""
    return lambda action, **event: invoke(outputs["OrdersName"], action=action, **event)


@pytest.fixture(scope="module")
def report(invoke: Invoke, outputs: Outputs) -> Function:
    """Reads at the reader endpoint: ``report("count", order_id="42")``."""
    return lambda action, **event: invoke(outputs["ReportName"], action=action, **event)


@pytest.fixture
def order_id(orders: Function) -> Iterator[str]:
    """An order that nobody has placed yet; in the end it is gone."""
    order_id = f"exercise-{uuid4().hex}"
    yield order_id
    orders("remove", order_id=order_id)


@pytest.fixture(scope="module")
def cluster(client: Client, outputs: Outputs) -> Callable[[], Description]:
    """What RDS says of the cluster now."""

    def describe() -> Description:
        described: Description = client("rds").describe_db_clusters(
            DBClusterIdentifier=outputs["ClusterId"]
        )["DBClusters"][0]
        return described

    return describe


def roles(cluster: Description) -> tuple[set[str], set[str]]:
    """The writer and the readers."""
    members = cluster["DBClusterMembers"]
    writers = {each["DBInstanceIdentifier"] for each in members if each["IsClusterWriter"]}
    return writers, {each["DBInstanceIdentifier"] for each in members} - writers


@pytest.mark.concept("aurora.engine")
def test_a_writer_and_a_reader_share_a_cluster_that_speaks_postgresql(
    orders: Function, cluster: Callable[[], Description]
) -> None:
    described = cluster()
    assert described["Engine"] == "aurora-postgresql"
    writers, readers = roles(described)
    assert (len(writers), len(readers)) == (1, 1)

    description = orders("describe")
    major = described["EngineVersion"].split(".")[0]
    assert description["version"].startswith(f"PostgreSQL {major}.")
    assert description["read_only"] is False


@pytest.mark.concept("aurora.engine")
def test_the_data_api_logs_in_with_a_password_that_rds_made(
    client: Client, cluster: Callable[[], Description]
) -> None:
    described = cluster()
    assert described["HttpEndpointEnabled"] is True

    secret = client("secretsmanager").get_secret_value(
        SecretId=described["MasterUserSecret"]["SecretArn"]
    )
    assert json.loads(secret["SecretString"])["username"] == described["MasterUsername"]


@pytest.mark.concept("aurora.engine")
def test_of_an_order_with_a_line_that_is_refused_no_line_stays(
    orders: Function, order_id: str
) -> None:
    with pytest.raises(FunctionError, match=CHECK_VIOLATION):
        orders("place", order_id=order_id, lines={"lamp": 2, "table": 0})
    assert orders("find", order_id=order_id) is None

    for _ in range(2):
        orders("place", order_id=order_id, lines={"lamp": 2, "table": 1})
    assert orders("find", order_id=order_id) == {"lamp": 2, "table": 1}


@pytest.mark.concept("aurora.engine")
def test_after_a_failover_the_roles_have_swapped_and_the_data_is_the_same(
    client: Client,
    outputs: Outputs,
    orders: Function,
    order_id: str,
    cluster: Callable[[], Description],
    eventually: Eventually,
) -> None:
    orders("place", order_id=order_id, lines={"lamp": 3})
    writers, readers = roles(cluster())

    client("rds").failover_db_cluster(DBClusterIdentifier=outputs["ClusterId"])
    eventually(lambda: roles(cluster()) == (readers, writers), within=300)
    client("rds").get_waiter("db_cluster_available").wait(DBClusterIdentifier=outputs["ClusterId"])

    def found() -> Any:
        try:
            return orders("find", order_id=order_id)
        except FunctionError:
            return None

    assert eventually(found, within=120) == {"lamp": 3}


@pytest.mark.aws_only
@pytest.mark.concept("aurora.engine")
def test_the_reader_endpoint_leads_to_a_reader_which_takes_no_writes(
    orders: Function,
    report: Function,
    order_id: str,
    cluster: Callable[[], Description],
    eventually: Eventually,
) -> None:
    orders("place", order_id=order_id, lines={"lamp": 4, "table": 1})

    answer = eventually(
        lambda: (answer := report("count", order_id=order_id))["lines"] == 2 and answer, within=60
    )
    _, readers = roles(cluster())
    assert answer["instance"] in readers
    assert answer["read_only"] is True
    with pytest.raises(FunctionError, match=READ_ONLY_TRANSACTION):
        report("remove", order_id=order_id)


@pytest.mark.aws_only
@pytest.mark.concept("aurora.engine")
def test_left_alone_the_cluster_pauses_at_zero_and_wakes_for_the_next_call(
    client: Client,
    outputs: Outputs,
    orders: Function,
    order_id: str,
    cluster: Callable[[], Description],
    eventually: Eventually,
) -> None:
    scaling = cluster()["ServerlessV2ScalingConfiguration"]
    if scaling["MinCapacity"]:
        pytest.skip("deployed to stay awake, as in production: it does not pause")
    assert scaling["SecondsUntilAutoPause"] == 300
    orders("place", order_id=order_id, lines={"lamp": 5})

    def latest_capacity() -> float | None:
        now = time.time()
        points = client("cloudwatch").get_metric_statistics(
            Namespace="AWS/RDS",
            MetricName="ServerlessDatabaseCapacity",
            Dimensions=[{"Name": "DBClusterIdentifier", "Value": outputs["ClusterId"]}],
            StartTime=now - 600,
            EndTime=now,
            Period=60,
            Statistics=["Maximum"],
        )["Datapoints"]
        return max(points, key=lambda point: point["Timestamp"])["Maximum"] if points else None

    eventually(lambda: latest_capacity() == 0, within=1800)
    assert orders("find", order_id=order_id) == {"lamp": 5}
