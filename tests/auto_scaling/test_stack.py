"""What must stay true of the auto-scaling blueprint; the snapshot shows whatever else changed."""

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from syrupy.assertion import SnapshotAssertion

from patterns.validations import InvalidArgumentError
from stacks.auto_scaling import AutoScalingStack
from stacks.profile import PRODUCTION, SANDBOX, Fleet, Nat
from tests.assembly import Assembly, StackTemplate, alone

FLEET = Fleet(minimum=1, desired=2, maximum=5, friday_minimum=4)
POLICY = "AWS::AutoScaling::ScalingPolicy"


def test_snapshot(assembly: Assembly, snapshot: SnapshotAssertion) -> None:
    assert assembly.stacks["auto-scaling"].body == snapshot


@pytest.fixture
def stack(sandbox: Assembly) -> StackTemplate:
    return sandbox.stacks["auto-scaling"]


def compose(app: cdk.App, **arguments: Any) -> None:
    """The stack, in a network and behind a load balancer of their own."""
    network = cdk.Stack(app, "network")
    vpc = ec2.Vpc(network, "Vpc", restrict_default_security_group=False)
    balancer = elbv2.ApplicationLoadBalancer(network, "Balancer", vpc=vpc)
    defaults: dict[str, Any] = {"nat": Nat.NONE, "fleet": FLEET}
    AutoScalingStack(app, "auto-scaling", vpc=vpc, load_balancer=balancer, **(defaults | arguments))


def policy(stack: StackTemplate, kind: str) -> tuple[str, dict[str, Any]]:
    """The logical id and the properties of the group's only policy of a type."""
    [found] = (each for each in stack.of_type(POLICY).items() if each[1]["PolicyType"] == kind)
    assert found[1]["AutoScalingGroupName"] == stack.ref("Servers/ASG")
    return found


def alarm_of(stack: StackTemplate, policy_id: str) -> dict[str, Any]:
    """The alarm that executes a policy."""
    [alarm] = (
        each
        for each in stack.of_type("AWS::CloudWatch::Alarm").values()
        if {"Ref": policy_id} in each["AlarmActions"]
    )
    dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
    assert dimensions["TargetGroup"] == stack.att("Targets", "TargetGroupFullName")
    return alarm


def scheduled(stack: StackTemplate, recurrence: str) -> dict[str, Any]:
    """What happens to the group then."""
    [action] = (
        each
        for each in stack.of_type("AWS::AutoScaling::ScheduledAction").values()
        if each["Recurrence"] == recurrence
    )
    assert action["AutoScalingGroupName"] == stack.ref("Servers/ASG")
    return action


def door(stack: StackTemplate) -> dict[str, Any]:
    """The only rule that lets everybody in."""
    [rule] = (
        each
        for each in stack.of_type("AWS::EC2::SecurityGroupIngress").values()
        if "CidrIp" in each
    )
    return rule


@pytest.mark.concept("asg.target-group-registration")
def test_the_group_registers_its_instances_and_the_template_registers_nobody(
    assembly: Assembly,
) -> None:
    stack = assembly.stacks["auto-scaling"]

    assert stack["Servers/ASG"]["TargetGroupARNs"] == [stack.ref("Targets")]
    assert stack["Targets"]["TargetType"] == "instance"
    assert "Targets" not in stack["Targets"]


@pytest.mark.concept("asg.lb-sends-to-target-group")
def test_the_listener_forwards_to_the_group_whose_health_is_what_the_load_balancer_says(
    assembly: Assembly,
) -> None:
    stack = assembly.stacks["auto-scaling"]

    assert stack["Listener"]["DefaultActions"] == [
        {"Type": "forward", "TargetGroupArn": stack.ref("Targets")}
    ]
    assert stack["Servers/ASG"]["HealthCheckType"] == "ELB"


def test_servers_listen_where_the_load_balancer_asks_and_serve_their_own_id(
    stack: StackTemplate,
) -> None:
    script = stack["Server"]["LaunchTemplateData"]["UserData"]["Fn::Base64"]

    assert f"python3 -m http.server {stack['Targets']['Port']}" in script
    assert "cloud-init query instance_id > /srv/www/index.html" in script
    assert "--property=DynamicUser=yes --working-directory=/srv/www" in script


@pytest.mark.concept("asg.target-tracking")
def test_the_average_of_the_processors_is_kept_near_forty_percent(stack: StackTemplate) -> None:
    assert policy(stack, "TargetTrackingScaling")[1]["TargetTrackingConfiguration"] == {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
        "TargetValue": 40,
    }


def test_processors_may_be_busier_than_their_credits_allow_or_the_target_would_mean_nothing(
    stack: StackTemplate,
) -> None:
    credits_ = stack["Server"]["LaunchTemplateData"]["CreditSpecification"]

    assert credits_ == {"CpuCredits": "unlimited"}


@pytest.mark.concept("asg.step-scaling")
def test_many_requests_bring_one_more_server_and_twice_as_many_bring_two(
    stack: StackTemplate,
) -> None:
    policy_id, steps = policy(stack, "StepScaling")
    alarm = alarm_of(stack, policy_id)

    assert alarm["MetricName"] == "RequestCountPerTarget"
    assert steps["AdjustmentType"] == "ChangeInCapacity"
    assert steps["StepAdjustments"] == [
        {
            "MetricIntervalLowerBound": 0,
            "MetricIntervalUpperBound": alarm["Threshold"],
            "ScalingAdjustment": 1,
        },
        {"MetricIntervalLowerBound": alarm["Threshold"], "ScalingAdjustment": 2},
    ]


@pytest.mark.concept("asg.simple-scaling")
def test_slow_answers_bring_one_more_server_and_then_none_for_five_minutes(
    stack: StackTemplate,
) -> None:
    policy_id, simple = policy(stack, "SimpleScaling")
    alarm = alarm_of(stack, policy_id)

    assert (alarm["MetricName"], alarm["Threshold"]) == ("TargetResponseTime", 1)
    assert (simple["AdjustmentType"], simple["ScalingAdjustment"]) == ("ChangeInCapacity", 1)
    assert simple["Cooldown"] == "300"


@pytest.mark.concept("asg.scheduled")
def test_on_fridays_at_five_the_minimum_is_ten_until_the_next_morning(
    stack: StackTemplate, production: Assembly
) -> None:
    relied_on = production.stacks["auto-scaling"]

    assert scheduled(relied_on, "0 17 * * FRI")["MinSize"] == 10
    assert scheduled(stack, "0 17 * * FRI")["MinSize"] == 1
    for each in (stack, relied_on):
        morning = scheduled(each, "0 5 * * SAT")["MinSize"]
        assert str(morning) == each["Servers/ASG"]["MinSize"]
        assert scheduled(each, "0 17 * * FRI")["TimeZone"] == "Etc/UTC"


@pytest.mark.concept("asg.scheduled")
def test_the_schedule_is_of_the_time_zone_that_is_given() -> None:
    stack = alone(compose, time_zone="Europe/Berlin").stacks["auto-scaling"]

    for recurrence in ("0 17 * * FRI", "0 5 * * SAT"):
        assert scheduled(stack, recurrence)["TimeZone"] == "Europe/Berlin"
    assert scheduled(stack, "0 17 * * FRI")["MinSize"] == FLEET.friday_minimum


@pytest.mark.concept("asg.predictive")
def test_what_is_needed_is_forecast_and_not_acted_upon(stack: StackTemplate) -> None:
    assert policy(stack, "PredictiveScaling")[1]["PredictiveScalingConfiguration"] == {
        "Mode": "ForecastOnly",
        "MetricSpecifications": [
            {
                "PredefinedMetricPairSpecification": {"PredefinedMetricType": "ASGCPUUtilization"},
                "TargetValue": 40,
            }
        ],
    }


@pytest.mark.parametrize(
    ("profile", "fleet"), [("sandbox", SANDBOX.fleet), ("production", PRODUCTION.fleet)]
)
def test_the_group_has_the_sizes_of_its_profile_and_keeps_the_size_it_has_scaled_to(
    request: pytest.FixtureRequest, profile: str, fleet: Fleet
) -> None:
    assembly: Assembly = request.getfixturevalue(profile)
    stack = assembly.stacks["auto-scaling"]
    group = stack["Servers/ASG"]
    update = stack.body["Resources"][stack.logical_id("Servers/ASG")]["UpdatePolicy"]

    sizes = (fleet.minimum, fleet.desired, fleet.maximum)
    assert (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]) == tuple(map(str, sizes))
    assert update["AutoScalingScheduledAction"] == {"IgnoreUnmodifiedGroupSizeProperties": True}


def test_a_new_launch_template_refreshes_the_instances_and_waits_for_no_signal(
    stack: StackTemplate,
) -> None:
    group = stack.body["Resources"][stack.logical_id("Servers/ASG")]

    refresh = group["UpdatePolicy"]["AutoScalingInstanceRefresh"]
    assert refresh == {"Strategy": "Rolling", "Preferences": {"MinHealthyPercentage": 50}}
    assert "CreationPolicy" not in group
    assert group["Properties"]["LaunchTemplate"] == {
        "LaunchTemplateId": stack.ref("Server"),
        "Version": stack.att("Server", "LatestVersionNumber"),
    }


def test_servers_are_small_current_and_hardened(stack: StackTemplate) -> None:
    template = stack["Server"]["LaunchTemplateData"]

    assert template["InstanceType"] == "t4g.nano"
    image = stack.body["Parameters"][template["ImageId"]["Ref"]]["Default"]
    assert image.startswith("/aws/service/ami-amazon-linux-latest/al2023-")
    assert image.endswith("-arm64")
    assert template["MetadataOptions"] == {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    [disk] = template["BlockDeviceMappings"]
    assert disk["Ebs"] == {"Encrypted": True, "VolumeSize": 8, "VolumeType": "gp3"}
    assert "KeyName" not in template


def test_only_the_load_balancer_connects_to_servers_which_speak_https_only(
    assembly: Assembly,
) -> None:
    stack = assembly.stacks["auto-scaling"]
    servers = stack.att("ServersGroup", "GroupId")
    balancer = door(stack)["GroupId"]
    [inward] = (
        each
        for each in stack.of_type("AWS::EC2::SecurityGroupIngress").values()
        if each["GroupId"] == servers
    )
    [onward] = stack.of_type("AWS::EC2::SecurityGroupEgress").values()

    assert stack["Server"]["LaunchTemplateData"]["SecurityGroupIds"] == [servers]
    assert "SecurityGroupIngress" not in stack["ServersGroup"]
    assert inward["SourceSecurityGroupId"] == onward["GroupId"] == balancer
    assert onward["DestinationSecurityGroupId"] == servers
    ports = {each[end] for each in (inward, onward) for end in ("FromPort", "ToPort")}
    assert ports == {stack["Targets"]["Port"]}
    [outward] = stack["ServersGroup"]["SecurityGroupEgress"]
    assert (outward["IpProtocol"], outward["FromPort"], outward["ToPort"]) == ("tcp", 443, 443)


def test_the_listener_is_open_to_everybody_by_a_rule_of_this_stack_and_of_no_other(
    stack: StackTemplate, sandbox: Assembly
) -> None:
    rule, port = door(stack), stack["Listener"]["Port"]

    assert (rule["CidrIp"], rule["FromPort"], rule["ToPort"]) == ("0.0.0.0/0", port, port)
    balancers = sandbox.stacks["load-balancers"]
    entrance = "Application/SecurityGroup"
    source = rule["GroupId"]["Fn::GetStackOutput"]["OutputName"]
    assert balancers.body["Outputs"][source]["Value"] == balancers.att(entrance, "GroupId")
    assert port not in {each["ToPort"] for each in balancers[entrance]["SecurityGroupIngress"]}


@pytest.mark.parametrize(("profile", "tier"), [("sandbox", "Public"), ("production", "Private")])
def test_servers_are_where_they_reach_systems_manager(
    request: pytest.FixtureRequest, profile: str, tier: str
) -> None:
    assembly: Assembly = request.getfixturevalue(profile)
    subnets = assembly.stacks["auto-scaling"]["Servers/ASG"]["VPCZoneIdentifier"]

    names = [subnet["Fn::GetStackOutput"]["OutputName"] for subnet in subnets]
    assert [f"{tier}Subnet{number}" in names[number - 1] for number in (1, 2)] == [True, True]


def test_servers_may_do_what_the_agent_of_systems_manager_needs_and_nothing_else(
    stack: StackTemplate,
) -> None:
    [managed] = stack["ServerRole"]["ManagedPolicyArns"]

    assert managed["Fn::Join"][1][-1] == ":iam::aws:policy/AmazonSSMManagedInstanceCore"
    assert "AWS::IAM::Policy" not in stack.types()
    assert stack["Server/Profile"]["Roles"] == [stack.ref("ServerRole")]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"fleet": Fleet(2, 1, 3, 2)}, "a minimum of 2, 1 desired and a maximum of 3; give"),
        ({"fleet": Fleet(0, 4, 3, 2)}, "a minimum of 0, 4 desired and a maximum of 3; give"),
        ({"fleet": Fleet(-1, 1, 3, 2)}, "a minimum of -1, 1 desired and a maximum of 3; give"),
        ({"fleet": Fleet(0, 1, 2, 10)}, "a Friday minimum of 10, .* its maximum of 2; change"),
        ({"fleet": Fleet(2, 2, 4, 1)}, "a Friday minimum of 1, .* minimum of 2 .*; change"),
        ({"time_zone": "CEST"}, "time_zone 'CEST' is no name of IANA's; give one"),
        ({"time_zone": "UTC+1"}, "time_zone 'UTC.1' is no name of IANA's; give one"),
    ],
)
def test_a_fleet_that_contradicts_itself_and_a_time_zone_that_is_none_are_refused(
    arguments: dict[str, Any], line: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=line):
        alone(compose, **arguments)
