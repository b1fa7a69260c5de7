"""What must stay true of the aurora blueprint; the snapshot shows whatever else changed."""

from typing import Any

import aws_cdk as cdk
import pytest
import rds_tls
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from syrupy.assertion import SnapshotAssertion

from patterns.validations import InvalidArgumentError
from stacks.aurora import AuroraStack
from tests.assembly import Assembly, StackTemplate, alone


def test_snapshot(assembly: Assembly, snapshot: SnapshotAssertion) -> None:
    assert assembly.stacks["aurora"].body == snapshot


@pytest.fixture
def aurora(sandbox: Assembly) -> StackTemplate:
    return sandbox.stacks["aurora"]


def compose(app: cdk.App, **arguments: Any) -> None:
    """The stack, in a network of its own."""
    defaults = {
        "min_capacity": 0,
        "recovery": None,
        "removal_policy": cdk.RemovalPolicy.DESTROY,
        "deletion_protection": False,
        "log_retention": logs.RetentionDays.ONE_WEEK,
    }
    vpc = ec2.Vpc(cdk.Stack(app, "network"), "Vpc", restrict_default_security_group=False)
    AuroraStack(app, "aurora", vpc=vpc, **(defaults | arguments))


@pytest.mark.concept("aurora.engine")
def test_one_writer_and_one_reader_refer_to_the_postgresql_compatible_cluster(
    assembly: Assembly,
) -> None:
    stack = assembly.stacks["aurora"]
    cluster = stack.ref("Cluster")

    assert stack["Cluster"]["Engine"] == "aurora-postgresql"
    members = stack.of_type("AWS::RDS::DBInstance")
    assert [each["DBClusterIdentifier"] for each in members.values()] == [cluster, cluster]
    assert {each["DBInstanceClass"] for each in members.values()} == {"db.serverless"}
    # In these tiers a reader is as large as the writer, and sleeps when it does.
    tiers = [stack[f"Cluster/{name}"]["PromotionTier"] for name in ("Writer", "Reader")]
    assert tiers == [0, 1]


@pytest.mark.concept("aurora.engine")
def test_in_sandbox_the_cluster_pauses_after_five_minutes_and_in_production_it_stays_awake(
    aurora: StackTemplate, production: Assembly
) -> None:
    assert aurora["Cluster"]["ServerlessV2ScalingConfiguration"] == {
        "MinCapacity": 0,
        "MaxCapacity": 1,
        "SecondsUntilAutoPause": 300,
    }
    awake = production.stacks["aurora"]["Cluster"]["ServerlessV2ScalingConfiguration"]
    assert awake == {"MinCapacity": 0.5, "MaxCapacity": 1}


@pytest.mark.concept("aurora.engine")
def test_orders_may_use_the_data_api_of_this_cluster_with_the_password_that_rds_made(
    aurora: StackTemplate,
) -> None:
    assert aurora["Cluster"]["EnableHttpEndpoint"] is True
    assert aurora["Cluster"]["ManageMasterUserPassword"] is True
    assert "MasterUserPassword" not in aurora["Cluster"]

    secret = aurora.att("Cluster", "MasterUserSecret.SecretArn")
    variables = aurora["Orders"]["Environment"]["Variables"]
    assert variables["SECRET_ARN"] == secret
    assert aurora.allowed("OrdersRole", secret) == {"secretsmanager:GetSecretValue"}
    assert aurora.allowed("OrdersRole", variables["CLUSTER_ARN"]) == {
        f"rds-data:{action}"
        for action in (
            "BeginTransaction",
            "CommitTransaction",
            "ExecuteStatement",
            "RollbackTransaction",
        )
    }
    assert "VpcConfig" not in aurora["Orders"]


@pytest.mark.concept("aurora.engine")
def test_report_reads_at_the_reader_endpoint_and_may_log_in_as_one_user_only(
    aurora: StackTemplate,
) -> None:
    variables = aurora["Report"]["Environment"]["Variables"]
    assert variables["READER_HOST"] == aurora.att("Cluster", "ReadEndpoint.Address")
    assert aurora["Cluster"]["EnableIAMDatabaseAuthentication"] is True

    [login] = [each for each in aurora.statements("ReportRole") if "rds-db" in str(each["Action"])]
    assert login["Action"] == "rds-db:connect"
    *_, cluster, user = login["Resource"]["Fn::Join"][1]
    assert cluster == aurora.att("Cluster", "DBClusterResourceId")
    assert user == f"/{variables['DATABASE_USER']}"


def test_the_cluster_lets_in_report_and_goes_nowhere(aurora: StackTemplate) -> None:
    group = aurora.att("ClusterGroup", "GroupId")

    assert aurora["Cluster"]["VpcSecurityGroupIds"] == [group]
    assert "SecurityGroupIngress" not in aurora["ClusterGroup"]
    [ingress] = aurora.of_type("AWS::EC2::SecurityGroupIngress").values()
    assert ingress["GroupId"] == group
    assert ingress["SourceSecurityGroupId"] == aurora.att("ReportGroup", "GroupId")
    [egress] = aurora.of_type("AWS::EC2::SecurityGroupEgress").values()
    assert egress["GroupId"] == aurora.att("ReportGroup", "GroupId")
    assert egress["DestinationSecurityGroupId"] == group
    assert [rule["CidrIp"] for rule in aurora["ClusterGroup"]["SecurityGroupEgress"]] == [
        "255.255.255.255/32"
    ]
    for member in aurora.of_type("AWS::RDS::DBInstance").values():
        assert member["PubliclyAccessible"] is False


def test_connections_need_tls_and_storage_is_encrypted(aurora: StackTemplate) -> None:
    assert aurora["Cluster/ParameterGroup"]["Parameters"] == {"rds.force_ssl": "1"}
    assert aurora["Cluster"]["DBClusterParameterGroupName"] == aurora.ref("Cluster/ParameterGroup")
    assert aurora["Cluster"]["StorageEncrypted"] is True


def test_report_has_a_client_that_trusts_who_signs_the_certificates(aurora: StackTemplate) -> None:
    for member in aurora.of_type("AWS::RDS::DBInstance").values():
        assert member["CACertificateIdentifier"] == rds_tls.AUTHORITIES.stem

    client = [aurora.ref(f"Postgres/{layer}") for layer in ("Packages", "Tls")]
    assert aurora["Report"]["Layers"] == client


def test_production_keeps_what_sandbox_leaves_no_trace_of(
    aurora: StackTemplate, production: Assembly
) -> None:
    def policies(stack: StackTemplate, path: str) -> set[str]:
        resource = stack.body["Resources"][stack.logical_id(path)]
        # What is not said is Delete, unless it is of a cluster.
        unsaid = "Snapshot" if path == "Cluster" else "Delete"
        return {resource.get(name, unsaid) for name in ("DeletionPolicy", "UpdateReplacePolicy")}

    stack = production.stacks["aurora"]
    for path in ("Cluster", "Cluster/Writer", "Cluster/Reader", "Cluster/Subnets"):
        assert policies(aurora, path) == {"Delete"}
        assert policies(stack, path) == {"Retain"}
    for property_, kept in (("DeleteAutomatedBackups", False), ("DeletionProtection", True)):
        assert aurora["Cluster"][property_] is not kept
        assert stack["Cluster"][property_] is kept
    assert stack["Cluster"]["BackupRetentionPeriod"] == 35


@pytest.mark.parametrize("units", [0.25, 2])
def test_a_capacity_that_aurora_does_not_offer_here_is_refused(units: float) -> None:
    with pytest.raises(InvalidArgumentError, match=rf"keep {units:g} .* give .* 0, 0.5 or 1"):
        alone(compose, min_capacity=units)


def test_a_recovery_that_aurora_does_not_offer_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="1 to 35 days"):
        alone(compose, recovery=cdk.Duration.days(36))
