"""What must stay true of the elasticache blueprint; the snapshot shows whatever else changed."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs
from syrupy.assertion import SnapshotAssertion

from patterns.validations import InvalidArgumentError
from stacks.elasticache import ElasticacheStack
from stacks.elasticache.caches import Deployment
from tests.assembly import Assembly, StackTemplate, alone

FUNCTIONS = {
    "GetUser": "dynamodb:GetItem",
    "PutUser": "dynamodb:PutItem",
    "DeleteUser": "dynamodb:DeleteItem",
}
KINDS = ("AWS::ElastiCache::", "AWS::MemoryDB::")


def test_snapshot(assembly: Assembly, snapshot: SnapshotAssertion) -> None:
    assert assembly.stacks["elasticache"].body == snapshot


@pytest.fixture
def elasticache(sandbox: Assembly) -> StackTemplate:
    return sandbox.stacks["elasticache"]


def compose(app: cdk.App, zones: int = 2, **arguments: Any) -> None:
    """The stack, with a network and a table of its own."""
    beside = cdk.Stack(app, "beside")
    isolated = ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
    ElasticacheStack(
        app,
        "elasticache",
        vpc=ec2.Vpc(
            beside,
            "Network",
            max_azs=zones,
            subnet_configuration=[isolated],
            restrict_default_security_group=False,
        ),
        table=dynamodb.TableV2(
            beside,
            "Users",
            partition_key=dynamodb.Attribute(name="user_id", type=dynamodb.AttributeType.STRING),
        ),
        log_retention=logs.RetentionDays.ONE_WEEK,
        **{"time_to_live": cdk.Duration.minutes(1), "multi_az": False, **arguments},
    )


@pytest.fixture(scope="module")
def with_everything() -> Assembly:
    """A serverless cache, and both options."""
    return alone(compose, deployment=Deployment.SERVERLESS, memcached=True, durable=True)


@pytest.fixture
def more(with_everything: Assembly) -> StackTemplate:
    return with_everything.stacks["elasticache"]


@pytest.mark.concept("elasticache.engines")
def test_the_cache_is_valkey_on_the_smallest_node_unless_it_is_serverless(
    elasticache: StackTemplate, more: StackTemplate
) -> None:
    nodes = elasticache["Cache/Group"]
    assert (nodes["Engine"], nodes["CacheNodeType"]) == ("valkey", "cache.t4g.micro")
    assert "AWS::ElastiCache::ServerlessCache" not in elasticache.types()

    assert more["Serverless/Cache"]["Engine"] == "valkey"
    assert "AWS::ElastiCache::ReplicationGroup" not in more.types()


@pytest.mark.concept("elasticache.engines")
def test_memcached_is_there_for_who_asks_for_it(
    elasticache: StackTemplate, more: StackTemplate
) -> None:
    assert "AWS::ElastiCache::CacheCluster" not in elasticache.types()

    cluster = more["Memcached/Cluster"]
    assert (cluster["Engine"], cluster["NumCacheNodes"]) == ("memcached", 1)
    assert cluster["TransitEncryptionEnabled"] is True
    assert admitted(more) == {6379, 11211}


@pytest.mark.concept("elasticache.lazy-loading")
def test_the_functions_know_the_cache_by_its_endpoint_and_the_table_by_its_name(
    elasticache: StackTemplate,
) -> None:
    for name in FUNCTIONS:
        known = elasticache[name]["Environment"]["Variables"]
        for variable, part in (("CACHE_HOST", "Address"), ("CACHE_PORT", "Port")):
            endpoint = elasticache.att("Cache/Group", f"PrimaryEndPoint.{part}")
            assert known[variable] == endpoint
        table = known["TABLE_NAME"]["Fn::GetStackOutput"]
        assert table["StackName"] == "blueprints-dynamodb"
        assert "Users" in table["OutputName"]


def test_the_functions_of_a_serverless_cache_know_its_endpoint(more: StackTemplate) -> None:
    known = more["GetUser"]["Environment"]["Variables"]

    assert known["CACHE_HOST"] == more.att("Serverless/Cache", "Endpoint.Address")
    assert known["CACHE_PORT"] == more.att("Serverless/Cache", "Endpoint.Port")
    assert known["SIGN_IN"].startswith(f"{more['Serverless/Cache']['ServerlessCacheName']}/?")
    assert known["SIGN_IN"].endswith("&ResourceType=ServerlessCache")


@pytest.mark.parametrize(("name", "action"), FUNCTIONS.items())
def test_each_function_may_do_one_thing_with_the_table_and_log_in_as_one_user(
    elasticache: StackTemplate, name: str, action: str
) -> None:
    role = f"{name}Role"
    allowed = [
        statement
        for statement in elasticache.statements(role)
        if str(statement["Action"]).startswith(("dynamodb", "elasticache"))
    ]

    assert sorted(statement["Action"] for statement in allowed) == [action, "elasticache:Connect"]
    table, login = sorted(allowed, key=lambda statement: str(statement["Action"]))
    assert "Users" in table["Resource"]["Fn::GetStackOutput"]["OutputName"]
    assert elasticache.att("Users") in login["Resource"]
    [cache] = (arn["Fn::Join"][1] for arn in login["Resource"] if "Fn::Join" in arn)
    assert cache[-2:] == [":replicationgroup:", elasticache.ref("Cache/Group")]
    assert len(login["Resource"]) == 2


def test_who_uses_the_cache_reaches_users_only_and_who_operates_it_writes_none(
    elasticache: StackTemplate,
) -> None:
    users = elasticache["Users"]["AccessString"].split()
    operators = elasticache["Operators"]["AccessString"].split()

    assert set(users) == {"on", "~user:*", "-@all", "+get", "+set", "+del"}
    assert "-@all" in operators
    assert not {"+@all", "+set", "+flushall", "+config"} & set(operators)
    login = elasticache["RunCommands"]["Environment"]["Variables"]["SIGN_IN"]
    assert login["Fn::Join"][1][1].endswith(f"User={elasticache['Operators']['UserId']}")


def test_everybody_logs_in_by_iam_and_nobody_else_is_let_in(
    elasticache: StackTemplate, more: StackTemplate
) -> None:
    for stack, kind in (
        (elasticache, "AWS::ElastiCache::User"),
        (more, "AWS::ElastiCache::User"),
        (more, "AWS::MemoryDB::User"),
    ):
        for user in stack.of_type(kind).values():
            assert user["AuthenticationMode"] == {"Type": "iam"}
            assert user["UserName"] == user.get("UserId", user["UserName"])
    everybody = [elasticache.ref("Users"), elasticache.ref("Operators")]
    assert elasticache["UserGroup"]["UserIds"] == everybody
    assert elasticache["Cache/Group"]["UserGroupIds"] == [elasticache.ref("UserGroup")]
    assert more["Serverless/Cache"]["UserGroupId"] == more.ref("UserGroup")


def test_names_that_cloudformation_does_not_make_up_are_short_enough() -> None:
    long = "a" * 100 + "-Elasticache"
    assembly = alone(compose, stack_name=long, deployment=Deployment.SERVERLESS, durable=True)
    template = assembly.stacks["elasticache"]

    names = [
        value
        for resource in template.body["Resources"].values()
        if resource["Type"].startswith(KINDS)
        for key, value in resource["Properties"].items()
        if key.endswith(("UserId", "UserGroupId", "Name")) and isinstance(value, str)
    ]
    assert len(names) > 5
    for name in names:
        assert name == name.lower()
        assert len(name) <= 40


def test_what_travels_and_what_lies_is_encrypted(assembly: Assembly) -> None:
    cache = assembly.stacks["elasticache"]["Cache/Group"]

    assert cache["TransitEncryptionEnabled"] is True
    assert cache["AtRestEncryptionEnabled"] is True


def admitted(stack: StackTemplate) -> set[int]:
    """The ports on which the cache's security group lets the functions in, and nobody else."""
    assert "SecurityGroupIngress" not in stack["Guard"]
    rules = stack.of_type("AWS::EC2::SecurityGroupIngress").values()
    for rule in rules:
        assert rule["GroupId"] == stack.att("Guard", "GroupId")
        assert rule["SourceSecurityGroupId"] == stack.att("Callers", "GroupId")
    return {rule["FromPort"] for rule in rules}


def test_only_the_functions_reach_the_cache_in_the_isolated_subnets(
    elasticache: StackTemplate,
) -> None:
    assert admitted(elasticache) == {6379}
    guard = [elasticache.att("Guard", "GroupId")]
    assert elasticache["Cache/Group"]["SecurityGroupIds"] == guard

    subnets = elasticache["Cache/Subnets"]["SubnetIds"]
    assert len(subnets) == 2
    for subnet in subnets:
        assert "IsolatedSubnet" in subnet["Fn::GetStackOutput"]["OutputName"]
    for name in (*FUNCTIONS, "RunCommands"):
        assert elasticache[name]["VpcConfig"] == {
            "SecurityGroupIds": [elasticache.att("Callers", "GroupId")],
            "SubnetIds": subnets,
        }


@pytest.mark.concept("elasticache.eviction")
def test_the_cache_evicts_any_key_that_was_not_used_lately(assembly: Assembly) -> None:
    stack = assembly.stacks["elasticache"]

    assert stack["Cache/Parameters"]["Properties"] == {"maxmemory-policy": "allkeys-lru"}
    group = stack["Cache/Group"]
    assert group["CacheParameterGroupName"] == stack.ref("Cache/Parameters")
    family = stack["Cache/Parameters"]["CacheParameterGroupFamily"]
    assert family == f"valkey{group['EngineVersion'].split('.')[0]}"


def test_in_production_another_zone_takes_over(
    elasticache: StackTemplate, production: Assembly
) -> None:
    def shape(stack: StackTemplate) -> list[Any]:
        names = ("NumCacheClusters", "AutomaticFailoverEnabled", "MultiAZEnabled")
        return [stack["Cache/Group"][name] for name in names]

    assert shape(elasticache) == [1, False, False]
    assert shape(production.stacks["elasticache"]) == [2, True, True]


@pytest.mark.concept("memorydb.durable-store")
def test_memorydb_has_an_acl_and_a_node_to_take_over_and_a_function_of_its_own(
    elasticache: StackTemplate, more: StackTemplate
) -> None:
    assert not any(each.startswith("AWS::MemoryDB::") for each in elasticache.types())

    cluster = more["MemoryDb/Cluster"]
    assert cluster["Engine"] == "valkey"
    assert cluster["ACLName"] == more.ref("MemoryDb/Acl")
    assert cluster["SubnetGroupName"] == more.ref("MemoryDb/Subnets")
    assert cluster["TLSEnabled"] is True
    assert cluster["NumReplicasPerShard"] == 1
    assert more["MemoryDb/Acl"]["UserNames"] == [more.ref("MemoryDb/User")]

    known = more["RunMemoryDbCommands"]["Environment"]["Variables"]
    assert known["CACHE_HOST"] == more.att("MemoryDb/Cluster", "ClusterEndpoint.Address")
    assert known["SIGN_IN_SERVICE"] == "memorydb"
    arns = {"cluster": more.att("MemoryDb/Cluster", "ARN"), "user": more.att("MemoryDb/User")}
    for arn in arns.values():
        assert more.allowed("RunMemoryDbCommandsRole", arn) == {"memorydb:Connect"}


def test_a_serverless_cache_grows_no_further_than_it_takes_to_try(more: StackTemplate) -> None:
    assert more["Serverless/Cache"]["CacheUsageLimits"] == {
        "DataStorage": {"Unit": "GB", "Maximum": 1},
        "ECPUPerSecond": {"Maximum": 1000},
    }


def test_no_option_has_findings_that_nobody_answered(with_everything: Assembly) -> None:
    assert not with_everything.findings("elasticache")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (
            {"time_to_live": cdk.Duration.millis(10)},
            r"cannot live for 10 ms; give a time_to_live of one second or more",
        ),
        ({"zones": 1}, r"the VPC has 1 isolated subnets; give one with isolated subnets in two"),
    ],
    ids=["time to live", "zones"],
)
def test_what_cannot_work_is_refused_in_one_line(arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidArgumentError, match=complaint) as refused:
        alone(compose, **arguments)

    assert len(str(refused.value).splitlines()) == 1


def test_a_layer_that_was_not_installed_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stacks.elasticache.stack.HERE", tmp_path)

    with pytest.raises(InvalidArgumentError, match=r"layer valkey .* run make setup$"):
        alone(compose)
