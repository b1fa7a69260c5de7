"""What must stay true of the beanstalk blueprint; the snapshot shows whatever else changed."""

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from syrupy.assertion import SnapshotAssertion

from patterns.validations import InvalidArgumentError
from stacks.beanstalk import BeanstalkStack, DeploymentPolicy
from stacks.profile import Nat
from tests.assembly import Assembly, StackTemplate, alone
from tests.gates.resources import listed

ENVIRONMENTS = ("Blue", "Green")
CERTIFICATE = "arn:aws:acm:eu-west-1:111111111111:certificate/11111111"
WITHOUT_BALANCER = [DeploymentPolicy.ALL_AT_ONCE, DeploymentPolicy.IMMUTABLE]
WITH_BALANCER = [policy for policy in DeploymentPolicy if policy not in WITHOUT_BALANCER]


def test_snapshot(assembly: Assembly, snapshot: SnapshotAssertion) -> None:
    assert assembly.stacks["beanstalk"].body == snapshot


@pytest.fixture
def beanstalk(sandbox: Assembly) -> StackTemplate:
    return sandbox.stacks["beanstalk"]


def compose(
    app: cdk.App,
    *,
    deployment_policy: DeploymentPolicy = DeploymentPolicy.IMMUTABLE,
    load_balanced: bool = True,
    nat: Nat = Nat.NONE,
    certificate: bool = False,
) -> None:
    """The stack, in a network of its own."""
    surroundings = cdk.Stack(app, "surroundings")
    BeanstalkStack(
        app,
        "beanstalk",
        vpc=ec2.Vpc(surroundings, "Network", nat_gateways=1, restrict_default_security_group=False),
        nat=nat,
        deployment_policy=deployment_policy,
        load_balanced=load_balanced,
        certificate=acm.Certificate.from_certificate_arn(surroundings, "Tls", CERTIFICATE)
        if certificate
        else None,
    )


def options(stack: StackTemplate, environment: str) -> dict[str, dict[str, Any]]:
    """What an environment is made of: values by name and namespace, none of which comes twice."""
    found: dict[str, dict[str, Any]] = {}
    for option in stack[environment]["OptionSettings"]:
        values = found.setdefault(option["Namespace"], {})
        assert option["OptionName"] not in values, option
        values[option["OptionName"]] = option["Value"]
    return found


def public(value: Any) -> bool:
    """Whether a list of subnets, joined with commas, holds public ones only."""
    subnets = value["Fn::Join"][1]
    kinds = {"PublicSubnet" in str(subnet) for subnet in subnets}
    assert len(kinds) == 1
    return kinds.pop()


@pytest.mark.concept("beanstalk.managed-stack")
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_template_says_what_runs_and_leaves_it_to_beanstalk_to_make_it(
    beanstalk: StackTemplate, production: Assembly, environment: str
) -> None:
    expected = {"sandbox": "SingleInstance", "production": "LoadBalanced"}
    stacks = {"sandbox": beanstalk, "production": production.stacks["beanstalk"]}

    for profile, stack in stacks.items():
        given = options(stack, environment)
        assert given["aws:elasticbeanstalk:environment"]["EnvironmentType"] == expected[profile]
        assert given["aws:ec2:instances"]["InstanceTypes"] == "t4g.micro"
        launch = given["aws:autoscaling:launchconfiguration"]
        assert launch["IamInstanceProfile"] == stack.att("InstanceProfile")
        services = {resource_type.rpartition("::")[0] for resource_type in stack.types()}
        assert services == {"AWS::EC2", "AWS::ElasticBeanstalk", "AWS::IAM"}
        made_here = {each for each in stack.types() if each.startswith("AWS::EC2::")}
        assert all(each.startswith("AWS::EC2::SecurityGroup") for each in made_here)


@pytest.mark.concept(
    "beanstalk.deploy-all-at-once",
    "beanstalk.deploy-rolling",
    "beanstalk.deploy-rolling-with-additional-batch",
    "beanstalk.deploy-immutable",
    "beanstalk.deploy-traffic-splitting",
)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize(
    ("policy", "value"),
    [
        (DeploymentPolicy.ALL_AT_ONCE, "AllAtOnce"),
        (DeploymentPolicy.ROLLING, "Rolling"),
        (DeploymentPolicy.ROLLING_WITH_ADDITIONAL_BATCH, "RollingWithAdditionalBatch"),
        (DeploymentPolicy.IMMUTABLE, "Immutable"),
        (DeploymentPolicy.TRAFFIC_SPLITTING, "TrafficSplitting"),
    ],
)
def test_both_environments_deploy_by_the_policy_that_was_chosen(
    policy: DeploymentPolicy, value: str, environment: str
) -> None:
    given = options(alone(compose, deployment_policy=policy).stacks["beanstalk"], environment)

    assert given["aws:elasticbeanstalk:command"]["DeploymentPolicy"] == value


@pytest.mark.parametrize("policy", DeploymentPolicy)
def test_batches_are_of_one_instance_where_there_are_batches(
    policy: DeploymentPolicy,
) -> None:
    given = options(alone(compose, deployment_policy=policy).stacks["beanstalk"], "Blue")
    command = given["aws:elasticbeanstalk:command"]

    batches = {name: command.get(name) for name in ("BatchSizeType", "BatchSize")}
    if "Rolling" in policy:
        assert batches == {"BatchSizeType": "Fixed", "BatchSize": "1"}
    else:
        assert set(batches.values()) == {None}


def test_new_instances_get_a_tenth_of_the_requests_first_when_traffic_is_split() -> None:
    assembly = alone(compose, deployment_policy=DeploymentPolicy.TRAFFIC_SPLITTING)
    stack = assembly.stacks["beanstalk"]
    given = options(stack, "Blue")

    assert given["aws:elasticbeanstalk:trafficsplitting"] == {
        "NewVersionPercent": "10",
        "EvaluationTime": "5",
    }
    assert given["aws:elasticbeanstalk:environment"]["LoadBalancerType"] == "application"


@pytest.mark.parametrize("policy", WITH_BALANCER)
def test_a_policy_that_needs_a_second_instance_is_refused_where_there_is_one(
    policy: DeploymentPolicy,
) -> None:
    with pytest.raises(InvalidArgumentError, match=rf"^deployment policy {policy} .*AllAtOnce or"):
        alone(compose, deployment_policy=policy, load_balanced=False)


@pytest.mark.parametrize("policy", WITHOUT_BALANCER)
def test_a_policy_that_needs_no_second_instance_takes_one(policy: DeploymentPolicy) -> None:
    stack = alone(compose, deployment_policy=policy, load_balanced=False).stacks["beanstalk"]

    given = options(stack, "Blue")
    assert given["aws:elasticbeanstalk:environment"]["EnvironmentType"] == "SingleInstance"
    assert "aws:elbv2:loadbalancer" not in given
    assert given["aws:ec2:vpc"]["AssociatePublicIpAddress"] == "true"
    assert public(given["aws:ec2:vpc"]["Subnets"])


@pytest.mark.concept("beanstalk.deploy-blue-green")
def test_blue_and_green_are_two_environments_of_one_application_with_urls_to_swap(
    beanstalk: StackTemplate,
) -> None:
    blue, green = (beanstalk[environment] for environment in ENVIRONMENTS)

    assert set(beanstalk.of_type("AWS::ElasticBeanstalk::Environment")) == {
        beanstalk.logical_id(environment) for environment in ENVIRONMENTS
    }
    for property_ in ("ApplicationName", "VersionLabel", "PlatformArn", "OptionSettings"):
        assert blue[property_] == green[property_]
    assert blue["ApplicationName"] == beanstalk.ref("Application")
    assert blue["VersionLabel"] == beanstalk.ref("Version")
    prefixes = [each["CNAMEPrefix"]["Fn::Join"][1] for each in (blue, green)]
    assert [prefix[0] for prefix in prefixes] == ["blue-", "green-"]
    # No other stack of the region may take the same name.
    assert all("AWS::StackId" in str(prefix[1:]) for prefix in prefixes)


@pytest.mark.concept("beanstalk.version-lifecycle")
def test_three_versions_are_kept_and_older_ones_deleted_with_their_source(
    beanstalk: StackTemplate,
) -> None:
    lifecycle = beanstalk["Application"]["ResourceLifecycleConfig"]

    assert lifecycle["VersionLifecycleConfig"]["MaxCountRule"] == {
        "Enabled": True,
        "MaxCount": 3,
        "DeleteSourceFromS3": True,
    }
    assert lifecycle["ServiceRole"] == beanstalk.att("ServiceRole")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_platform_is_the_newest_of_its_branch_and_is_kept_so(
    assembly: Assembly, environment: str
) -> None:
    stack = assembly.stacks["beanstalk"]
    given = options(stack, environment)

    assert stack[environment]["PlatformArn"]["Fn::Join"][1][-1] == (
        "::platform/Python 3.14 running on 64bit Amazon Linux 2023"
    )
    assert "SolutionStackName" not in stack[environment]
    updates = given["aws:elasticbeanstalk:managedactions"]
    assert updates["ManagedActionsEnabled"] == "true"
    assert updates["ServiceRoleForManagedUpdates"] == stack.att("ServiceRole")
    update_level = given["aws:elasticbeanstalk:managedactions:platformupdate"]["UpdateLevel"]
    assert update_level == "minor"


def test_production_has_two_to_four_instances_in_private_subnets_behind_a_load_balancer(
    production: Assembly,
) -> None:
    stack = production.stacks["beanstalk"]
    given = options(stack, "Blue")

    assert given["aws:autoscaling:asg"] == {"MinSize": "2", "MaxSize": "4"}
    network = given["aws:ec2:vpc"]
    assert network["AssociatePublicIpAddress"] == "false"
    assert not public(network["Subnets"])
    assert public(network["ELBSubnets"])
    balancers = {"Fn::GetAtt": [stack.logical_id("LoadBalancers"), "GroupId"]}
    assert given["aws:elbv2:loadbalancer"] == {
        "SecurityGroups": balancers,
        "ManagedSecurityGroup": balancers,
    }


def test_without_a_nat_balanced_instances_lie_in_public_subnets() -> None:
    network = options(alone(compose, nat=Nat.NONE).stacks["beanstalk"], "Blue")["aws:ec2:vpc"]

    assert network["AssociatePublicIpAddress"] == "true"
    assert public(network["Subnets"])


def test_visitors_reach_the_instances_of_production_through_the_load_balancers_only(
    production: Assembly,
) -> None:
    stack = production.stacks["beanstalk"]
    [rule] = stack.of_type("AWS::EC2::SecurityGroupIngress").values()

    assert "SecurityGroupIngress" not in stack["Instances"]
    assert rule["GroupId"] == {"Fn::GetAtt": [stack.logical_id("Instances"), "GroupId"]}
    assert rule["SourceSecurityGroupId"] == {
        "Fn::GetAtt": [stack.logical_id("LoadBalancers"), "GroupId"]
    }
    assert (rule["FromPort"], rule["ToPort"]) == (80, 80)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_beanstalk_adds_no_security_group_and_makes_no_launch_configuration(
    assembly: Assembly, environment: str
) -> None:
    stack = assembly.stacks["beanstalk"]
    launch = options(stack, environment)["aws:autoscaling:launchconfiguration"]

    assert launch["DisableDefaultEC2SecurityGroup"] == "true"
    assert launch["SecurityGroups"] == {"Fn::GetAtt": [stack.logical_id("Instances"), "GroupId"]}
    assert (launch["DisableIMDSv1"], launch["RootVolumeType"]) == ("true", "gp3")


def test_instances_take_http_from_everybody_and_ask_over_https_only(
    beanstalk: StackTemplate,
) -> None:
    [way_in] = beanstalk["Instances"]["SecurityGroupIngress"]
    [way_out] = beanstalk["Instances"]["SecurityGroupEgress"]

    assert (way_in["CidrIp"], way_in["FromPort"], way_in["ToPort"]) == ("0.0.0.0/0", 80, 80)
    assert (way_out["FromPort"], way_out["ToPort"]) == (443, 443)


def test_with_a_certificate_load_balancers_speak_https_and_nothing_else() -> None:
    stack = alone(compose, certificate=True).stacks["beanstalk"]
    given = options(stack, "Green")

    assert given["aws:elbv2:listener:default"] == {"ListenerEnabled": "false"}
    assert given["aws:elbv2:listener:443"] == {
        "Protocol": "HTTPS",
        "SSLCertificateArns": CERTIFICATE,
        "SSLPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
    }
    [way_in] = stack["LoadBalancers"]["SecurityGroupIngress"]
    assert (way_in["FromPort"], way_in["ToPort"]) == (443, 443)


def test_a_certificate_is_refused_where_there_is_no_load_balancer() -> None:
    with pytest.raises(InvalidArgumentError, match=r"^a certificate belongs to a load balancer, "):
        alone(compose, load_balanced=False, certificate=True)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_log_groups_go_with_their_environment(assembly: Assembly, environment: str) -> None:
    given = options(assembly.stacks["beanstalk"], environment)

    assert given["aws:elasticbeanstalk:cloudwatch:logs"] == {
        "StreamLogs": "true",
        "DeleteOnTerminate": "true",
        "RetentionInDays": "7",
    }


def test_instances_may_read_beanstalks_bucket_write_logs_and_report_themselves(
    beanstalk: StackTemplate,
) -> None:
    allowed = {
        action: str(statement["Resource"])
        for statement in beanstalk.statements("InstanceRole")
        for action in listed(statement["Action"])
    }

    assert allowed.keys() == {
        "elasticbeanstalk:PutInstanceStatistics",
        "logs:CreateLogStream",
        "logs:DescribeLogGroups",
        "logs:DescribeLogStreams",
        "logs:PutLogEvents",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:ListBucket",
        "s3:PutObject",
    }
    for action, resource in allowed.items():
        assert "AWS::Region" in resource, action
        assert "AWS::AccountId" in resource, action
    assert beanstalk.logical_id("Application") in allowed["elasticbeanstalk:PutInstanceStatistics"]
    assert "ManagedPolicyArns" not in beanstalk["InstanceRole"]


def test_only_beanstalk_assumes_the_service_role(beanstalk: StackTemplate) -> None:
    [trust] = beanstalk["ServiceRole"]["AssumeRolePolicyDocument"]["Statement"]

    assert trust["Principal"] == {"Service": "elasticbeanstalk.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": "elasticbeanstalk"}}
    given = options(beanstalk, "Blue")
    assert given["aws:elasticbeanstalk:environment"]["ServiceRole"] == beanstalk.att("ServiceRole")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_instance_starts_before_its_role_may_do_anything(
    beanstalk: StackTemplate, environment: str
) -> None:
    after = beanstalk.body["Resources"][beanstalk.logical_id(environment)]["DependsOn"]

    assert beanstalk.logical_id("InstanceRole/DefaultPolicy") in after


@pytest.mark.parametrize("load_balanced", [False, True])
@pytest.mark.parametrize("policy", WITHOUT_BALANCER)
def test_whichever_shape_is_chosen_nothing_is_found_that_is_not_acknowledged(
    policy: DeploymentPolicy, load_balanced: bool
) -> None:
    assembly = alone(
        compose,
        deployment_policy=policy,
        load_balanced=load_balanced,
        certificate=load_balanced,
    )

    assert not assembly.findings("beanstalk")
