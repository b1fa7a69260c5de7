"""What must stay true of the rds blueprint; the snapshot shows whatever else changed."""

from typing import Any

import aws_cdk as cdk
import pytest
import rds_tls
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from syrupy.assertion import SnapshotAssertion

from patterns.validations import InvalidArgumentError
from stacks.rds import Engine, RdsStack
from tests.assembly import Assembly, StackTemplate, alone


def test_snapshot(assembly: Assembly, snapshot: SnapshotAssertion) -> None:
    assert assembly.stacks["rds"].body == snapshot


@pytest.fixture
def rds(sandbox: Assembly) -> StackTemplate:
    return sandbox.stacks["rds"]


def compose(app: cdk.App, **arguments: Any) -> None:
    """The stack, in a network of its own."""
    defaults = {
        "multi_az": False,
        "read_replica": False,
        "endpoint_zones": 1,
        "recovery": None,
        "removal_policy": cdk.RemovalPolicy.DESTROY,
        "deletion_protection": False,
        "log_retention": logs.RetentionDays.ONE_WEEK,
    }
    isolated = ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
    vpc = ec2.Vpc(
        cdk.Stack(app, "network"),
        "Vpc",
        restrict_default_security_group=False,
        subnet_configuration=[isolated],
    )
    RdsStack(app, "rds", vpc=vpc, **(defaults | arguments))


def retained(stack: StackTemplate, path: str) -> bool:
    resource = stack.body["Resources"][stack.logical_id(path)]
    return {resource["DeletionPolicy"], resource["UpdateReplacePolicy"]} == {"Retain"}


@pytest.mark.concept("rds.managed")
def test_rds_keeps_backups_and_installs_minor_versions(assembly: Assembly) -> None:
    database = assembly.stacks["rds"]["Database"]

    assert database["BackupRetentionPeriod"] > 0
    assert database["AutoMinorVersionUpgrade"] is True


@pytest.mark.concept("rds.managed")
def test_nobody_types_the_password_and_the_secret_gets_to_know_the_host(
    rds: StackTemplate,
) -> None:
    assert rds["Credentials/Attachment"] == {
        "SecretId": rds.ref("Credentials"),
        "TargetId": rds.ref("Database"),
        "TargetType": "AWS::RDS::DBInstance",
    }
    assert rds["Credentials"]["GenerateSecretString"]["GenerateStringKey"] == "password"
    assert rds["Credentials"]["GenerateSecretString"]["PasswordLength"] == 30
    for property_, key in {"MasterUsername": "username", "MasterUserPassword": "password"}.items():
        before, secret, after = rds["Database"][property_]["Fn::Join"][1]
        assert secret == rds.ref("Credentials")
        assert before + after == f"{{{{resolve:secretsmanager::SecretString:{key}::}}}}"


@pytest.mark.concept("rds.managed")
def test_the_function_may_read_the_one_secret_and_waits_until_it_is_complete(
    rds: StackTemplate,
) -> None:
    attachment = rds.ref("Credentials/Attachment")

    assert rds["Orders"]["Environment"]["Variables"] == {"SECRET_ARN": attachment}
    assert rds.allowed("OrdersRole", attachment) == {"secretsmanager:GetSecretValue"}
    [statement] = [
        each for each in rds.statements("OrdersRole") if "secretsmanager" in str(each["Action"])
    ]
    assert statement["Resource"] == attachment


def test_the_function_reaches_secrets_manager_without_a_way_to_the_internet(
    rds: StackTemplate, production: Assembly
) -> None:
    endpoint = rds["SecretsManager"]

    assert endpoint["ServiceName"]["Fn::Join"][1][-1] == ".secretsmanager"
    assert (endpoint["VpcEndpointType"], endpoint["PrivateDnsEnabled"]) == ("Interface", True)
    [subnet] = endpoint["SubnetIds"]
    assert subnet in rds["Orders"]["VpcConfig"]["SubnetIds"]
    assert len(production.stacks["rds"]["SecretsManager"]["SubnetIds"]) == 2


def test_the_database_lets_in_the_function_and_goes_nowhere(rds: StackTemplate) -> None:
    group = rds.att("DatabaseGroup", "GroupId")
    assert rds["Database"]["VPCSecurityGroups"] == [group]
    assert rds["Database"]["PubliclyAccessible"] is False
    assert "SecurityGroupIngress" not in rds["DatabaseGroup"]
    [ingress] = rds.of_type("AWS::EC2::SecurityGroupIngress").values()
    assert ingress["GroupId"] == group
    assert ingress["SourceSecurityGroupId"] == rds.att("OrdersGroup", "GroupId")
    assert ingress["FromPort"] == ingress["ToPort"] == rds.att("Database", "Endpoint.Port")
    assert [rule["CidrIp"] for rule in rds["DatabaseGroup"]["SecurityGroupEgress"]] == [
        "255.255.255.255/32"
    ]


def test_connections_need_tls_and_storage_is_encrypted(rds: StackTemplate) -> None:
    assert rds["Database/ParameterGroup"]["Parameters"] == {"rds.force_ssl": "1"}
    assert rds["Database"]["DBParameterGroupName"] == rds.ref("Database/ParameterGroup")
    assert rds["Database"]["StorageEncrypted"] is True


def test_the_function_has_a_client_that_trusts_who_signs_the_certificates(
    production: Assembly,
) -> None:
    stack = production.stacks["rds"]

    for path in ("Database", "Replica"):
        assert stack[path]["CACertificateIdentifier"] == rds_tls.AUTHORITIES.stem
    client = [stack.ref(f"Postgres/{layer}") for layer in ("Packages", "Tls")]
    assert stack["Orders"]["Layers"] == client


@pytest.mark.concept("rds.engines")
@pytest.mark.parametrize(
    ("engine", "family", "parameters"),
    [
        (Engine.POSTGRES, "postgres18", {"rds.force_ssl": "1"}),
        (Engine.MARIADB, "mariadb11.8", {"require_secure_transport": "1"}),
    ],
)
def test_the_engine_is_an_argument_and_brings_its_own_way_to_demand_tls(
    engine: Engine, family: str, parameters: dict[str, str]
) -> None:
    assembly = alone(compose, engine=engine)
    stack = assembly.stacks["rds"]

    assert stack["Database"]["Engine"] == engine
    group = stack["Database/ParameterGroup"]
    assert (group["Family"], group["Parameters"]) == (family, parameters)
    assert not assembly.findings("rds")


@pytest.mark.concept("rds.engines")
def test_the_function_is_there_for_the_engine_that_it_speaks_to(rds: StackTemplate) -> None:
    assert "AWS::Lambda::Function" in rds.types()
    stack = alone(compose, engine=Engine.MARIADB).stacks["rds"]
    assert not {"AWS::Lambda::Function", "AWS::EC2::VPCEndpoint"} & stack.types()


@pytest.mark.concept("rds.storage-autoscaling")
def test_storage_may_grow_to_five_times_what_is_allocated(rds: StackTemplate) -> None:
    database = rds["Database"]

    assert (int(database["AllocatedStorage"]), database["MaxAllocatedStorage"]) == (20, 100)
    assert database["StorageType"] == "gp3"


@pytest.mark.concept("rds.read-replica")
def test_in_production_a_replica_copies_the_database_and_the_function_knows_it(
    production: Assembly, rds: StackTemplate
) -> None:
    stack = production.stacks["rds"]
    replica = stack["Replica"]

    *_, source = replica["SourceDBInstanceIdentifier"]["Fn::Join"][1]
    assert source == stack.ref("Database")
    # CloudFormation refuses what the primary decides.
    assert "StorageEncrypted" not in replica
    for property_ in ("VPCSecurityGroups", "DBSubnetGroupName", "PubliclyAccessible"):
        assert replica[property_] == stack["Database"][property_]
    variables = stack["Orders"]["Environment"]["Variables"]
    assert variables["REPLICA_HOST"] == stack.att("Replica", "Endpoint.Address")
    assert variables["REPLICA_PORT"] == stack.att("Replica", "Endpoint.Port")
    assert len(rds.of_type("AWS::RDS::DBInstance")) == 1


@pytest.mark.concept("rds.multi-az")
def test_production_has_a_standby_and_sandbox_does_not_pay_for_one(
    production: Assembly, rds: StackTemplate
) -> None:
    assert production.stacks["rds"]["Database"]["MultiAZ"] is True
    assert rds["Database"]["MultiAZ"] is False


def test_production_keeps_what_sandbox_leaves_no_trace_of(
    production: Assembly, rds: StackTemplate
) -> None:
    stack = production.stacks["rds"]

    for path in ("Database", "Credentials", "Replica", "Subnets"):
        assert retained(stack, path)
    for path in ("Database", "Credentials", "Subnets"):
        assert not retained(rds, path)
    assert rds["Database"]["DeleteAutomatedBackups"] is True
    assert stack["Database"]["DeleteAutomatedBackups"] is False
    assert rds["Database"]["DeletionProtection"] is False
    assert stack["Database"]["DeletionProtection"] is True
    assert stack["Replica"]["DeletionProtection"] is True


@pytest.mark.parametrize("hours", [12, 36 * 24])
def test_a_recovery_that_rds_does_not_offer_is_refused(hours: int) -> None:
    with pytest.raises(InvalidArgumentError, match=r"1 to 35 days .* given a recovery of"):
        alone(compose, recovery=cdk.Duration.hours(hours))
