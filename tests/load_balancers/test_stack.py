"""What must stay true of the load-balancers blueprint; the snapshot shows whatever else changed."""

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_logs as logs
from syrupy.assertion import SnapshotAssertion

from patterns.validations import InvalidArgumentError
from stacks.load_balancers import LoadBalancersStack
from tests.assembly import Assembly, StackTemplate, alone

CERTIFICATE = "arn:aws:acm:us-east-1:111111111111:certificate/0a1b2c3d"
ANYWHERE = "0.0.0.0/0"
LISTENER = "AWS::ElasticLoadBalancingV2::Listener"
CLASSIC = "AWS::ElasticLoadBalancing::LoadBalancer"


def test_snapshot(assembly: Assembly, snapshot: SnapshotAssertion) -> None:
    assert assembly.stacks["load-balancers"].body == snapshot


@pytest.fixture
def alb(sandbox: Assembly) -> StackTemplate:
    return sandbox.stacks["load-balancers"]


def compose(app: cdk.App, **options: Any) -> LoadBalancersStack:
    """The stack, in a network of its own."""
    network = cdk.Stack(app, "network")
    subnets = [
        ec2.SubnetConfiguration(name=kind.name.title(), subnet_type=kind)
        for kind in (
            ec2.SubnetType.PUBLIC,
            ec2.SubnetType.PRIVATE_WITH_EGRESS,
            ec2.SubnetType.PRIVATE_ISOLATED,
        )
    ]
    vpc = ec2.Vpc(
        network,
        "Vpc",
        nat_gateways=0,
        subnet_configuration=subnets,
        restrict_default_security_group=False,
    )
    return LoadBalancersStack(
        app,
        "load-balancers",
        vpc=vpc,
        access_logs=None,
        deletion_protection=False,
        removal_policy=cdk.RemovalPolicy.DESTROY,
        log_retention=logs.RetentionDays.ONE_WEEK,
        **options,
    )


@pytest.fixture(scope="module")
def complete() -> Assembly:
    """The stack with everything that can be switched on."""
    certificate = elbv2.ListenerCertificate.from_arn(CERTIFICATE)
    return alone(compose, certificate=certificate, network=True, gateway=True, classic=True)


@pytest.fixture
def options(complete: Assembly) -> StackTemplate:
    return complete.stacks["load-balancers"]


def rule(stack: StackTemplate, name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The conditions and the actions of a rule of the listener that routes."""
    properties = stack[f"Application/Http/{name}Rule"]
    assert properties["ListenerArn"] == stack.ref("Application/Http")
    return properties["Conditions"], properties["Actions"]


def forwards_to(stack: StackTemplate, targets: str) -> list[dict[str, Any]]:
    return [{"Type": "forward", "TargetGroupArn": stack.ref(targets)}]


def attributes(stack: StackTemplate, path: str) -> dict[str, Any]:
    """Of a target group or a load balancer."""
    properties = stack[path]
    key = "LoadBalancerAttributes" if "Type" in properties else "TargetGroupAttributes"
    return {each["Key"]: each["Value"] for each in properties[key]}


def admitted(stack: StackTemplate, group: str) -> set[tuple[str, int, Any]]:
    """What the rules at a security group let in: protocol, port, and the range or the group."""
    rules = list(stack[group].get("SecurityGroupIngress", []))
    rules += [
        each
        for each in stack.of_type("AWS::EC2::SecurityGroupIngress").values()
        if each["GroupId"] == stack.att(group, "GroupId")
    ]
    return {_described(stack, each, "Source") for each in rules}


def let_out(stack: StackTemplate, group: str) -> set[tuple[str, int, Any]]:
    """What the rules at a security group let out."""
    assert "SecurityGroupEgress" not in stack[group]
    return {
        _described(stack, each, "Destination")
        for each in stack.of_type("AWS::EC2::SecurityGroupEgress").values()
        if each["GroupId"] == stack.att(group, "GroupId")
    }


def _described(stack: StackTemplate, each: dict[str, Any], end: str) -> tuple[str, int, Any]:
    assert each["FromPort"] == each["ToPort"]
    group = each.get(f"{end}SecurityGroupId", {}).get("Fn::GetAtt", [None])[0]
    return each["IpProtocol"], each["FromPort"], each.get("CidrIp") or group


@pytest.mark.concept("alb.application-layer")
def test_the_load_balancer_is_open_to_everybody_in_the_public_subnets_of_two_zones(
    assembly: Assembly,
) -> None:
    stack = assembly.stacks["load-balancers"]
    balancer = stack["Application"]

    assert (balancer["Type"], balancer["Scheme"]) == ("application", "internet-facing")
    outputs = [subnet["Fn::GetStackOutput"]["OutputName"] for subnet in balancer["Subnets"]]
    assert ["PublicSubnet1" in outputs[0], "PublicSubnet2" in outputs[1]] == [True, True]
    assert admitted(stack, "Application/SecurityGroup") >= {("tcp", 80, ANYWHERE)}
    assert stack["Application/Http"]["DefaultActions"] == forwards_to(stack, "BlueTargets")


@pytest.mark.concept("alb.route-by-path")
def test_a_path_chooses_the_target(alb: StackTemplate) -> None:
    assert rule(alb, "Api") == (
        [{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/*"]}}],
        forwards_to(alb, "GreenTargets"),
    )


@pytest.mark.concept("alb.route-by-hostname")
def test_a_host_name_chooses_the_target(alb: StackTemplate) -> None:
    assert rule(alb, "Admin") == (
        [{"Field": "host-header", "HostHeaderConfig": {"Values": ["admin.example.test"]}}],
        forwards_to(alb, "GreenTargets"),
    )


@pytest.mark.concept("alb.route-by-query-string")
def test_a_parameter_of_the_query_chooses_the_target(alb: StackTemplate) -> None:
    version = {"Values": [{"Key": "version", "Value": "v2"}]}

    assert rule(alb, "Version") == (
        [{"Field": "query-string", "QueryStringConfig": version}],
        forwards_to(alb, "GreenTargets"),
    )


@pytest.mark.concept("alb.route-by-query-string")
def test_a_header_together_with_a_method_chooses_the_target(alb: StackTemplate) -> None:
    header, method = rule(alb, "Preview")[0]

    assert header["HttpHeaderConfig"] == {"HttpHeaderName": "X-Preview", "Values": ["*"]}
    assert method["HttpRequestMethodConfig"] == {"Values": ["GET", "HEAD"]}


@pytest.mark.concept("alb.redirect")
def test_old_paths_are_redirected_for_good(alb: StackTemplate) -> None:
    conditions, [action] = rule(alb, "Old")

    assert conditions[0]["PathPatternConfig"] == {"Values": ["/old/*"]}
    assert action["RedirectConfig"] == {"StatusCode": "HTTP_301", "Path": "/api/"}


def test_maintenance_is_answered_without_a_target(alb: StackTemplate) -> None:
    [action] = rule(alb, "Maintenance")[1]

    assert action["FixedResponseConfig"]["StatusCode"] == "503"


def test_a_tenth_of_a_release_goes_to_the_new_target_and_stays_there_for_a_minute(
    alb: StackTemplate,
) -> None:
    [action] = rule(alb, "Release")[1]

    assert action["ForwardConfig"] == {
        "TargetGroups": [
            {"TargetGroupArn": alb.ref("BlueTargets"), "Weight": 90},
            {"TargetGroupArn": alb.ref("GreenTargets"), "Weight": 10},
        ],
        "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60},
    }


def test_rules_are_tried_in_the_order_of_this_list_and_leave_room_for_those_of_other_stacks(
    assembly: Assembly,
) -> None:
    stack = assembly.stacks["load-balancers"]
    order = ["Old", "Maintenance", "Api", "Admin", "Version", "Preview", "Release", "Servers"]
    priorities = [stack[f"Application/Http/{name}Rule"]["Priority"] for name in order]

    assert priorities == sorted(set(priorities))
    assert priorities[-1] < 100


@pytest.mark.concept("lambda.http-endpoint")
@pytest.mark.parametrize("name", ["Blue", "Green"])
def test_a_function_is_a_target_that_only_load_balancers_of_this_account_may_invoke(
    alb: StackTemplate, name: str
) -> None:
    function, targets = alb.att(name), alb[f"{name}Targets"]
    permissions = {
        logical_id: each
        for logical_id, each in alb.of_type("AWS::Lambda::Permission").items()
        if each["FunctionName"] == function
    }

    assert (targets["TargetType"], targets["Targets"]) == ("lambda", [{"Id": function}])
    [(permission, allowed)] = permissions.items()
    assert allowed["Principal"] == "elasticloadbalancing.amazonaws.com"
    assert allowed["SourceArn"]["Fn::Join"][1][-3:] == [
        ":",
        {"Ref": "AWS::AccountId"},
        ":targetgroup/*",
    ]
    # Registering it takes the permission.
    path = alb.logical_id(f"{name}Targets")
    assert permission in alb.body["Resources"][path]["DependsOn"]


@pytest.mark.concept("alb.websocket", "alb.containers")
def test_servers_are_addresses_such_as_tasks_have_and_speak_http_which_web_sockets_start_with(
    alb: StackTemplate,
) -> None:
    targets = alb["ServersTargets"]

    assert rule(alb, "Servers")[1] == forwards_to(alb, "ServersTargets")
    assert (targets["TargetType"], targets["Protocol"], targets["Port"]) == ("ip", "HTTP", 80)
    # HTTP/1.1: neither HTTP/2 nor gRPC towards a target could become a web socket.
    assert "ProtocolVersion" not in targets
    assert "Targets" not in targets


@pytest.mark.concept("lb.sticky-session")
def test_clients_of_servers_stay_where_they_are_for_an_hour(alb: StackTemplate) -> None:
    chosen = attributes(alb, "ServersTargets")

    assert chosen["stickiness.enabled"] == "true"
    assert chosen["stickiness.type"] == "lb_cookie"
    assert chosen["stickiness.lb_cookie.duration_seconds"] == "3600"


@pytest.mark.concept("lb.connection-draining")
def test_a_server_that_is_taken_out_has_less_than_the_default_of_five_minutes_to_finish(
    alb: StackTemplate,
) -> None:
    delay = int(attributes(alb, "ServersTargets")["deregistration_delay.timeout_seconds"])

    # The exercise lets a request take 20 seconds.
    assert 20 < delay < 300


def test_servers_are_reached_by_the_load_balancer_only_and_reach_nobody(
    assembly: Assembly,
) -> None:
    stack = assembly.stacks["load-balancers"]
    entrance, servers = (
        stack.logical_id(group) for group in ("Application/SecurityGroup", "Servers")
    )

    assert admitted(stack, "Servers") == {("tcp", 80, entrance)}
    assert let_out(stack, "Application/SecurityGroup") == {("tcp", 80, servers)}
    [nothing] = stack["Servers"]["SecurityGroupEgress"]
    assert nothing["CidrIp"] == "255.255.255.255/32"


def test_production_logs_every_request_and_cannot_be_deleted_by_mistake(
    alb: StackTemplate, production: Assembly
) -> None:
    stack = production.stacks["load-balancers"]
    chosen = attributes(stack, "Application")

    assert chosen["deletion_protection.enabled"] == "true"
    assert chosen["access_logs.s3.enabled"] == "true"
    assert chosen["access_logs.s3.bucket"] == stack.ref("AccessLogs")
    [expiry] = stack["AccessLogs"]["LifecycleConfiguration"]["Rules"]
    assert (expiry["Status"], expiry["ExpirationInDays"]) == ("Enabled", 365)
    assert "access_logs.s3.enabled" not in attributes(alb, "Application")
    assert "AWS::S3::Bucket" not in alb.types()


def test_only_load_balancers_of_this_account_write_access_logs(production: Assembly) -> None:
    stack = production.stacks["load-balancers"]
    policy = stack["AccessLogs/Policy"]["PolicyDocument"]

    [write] = [each for each in policy["Statement"] if each["Effect"] == "Allow"]
    assert write["Principal"] == {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
    assert write["Action"] == "s3:PutObject"
    assert write["Resource"]["Fn::Join"][1] == [
        stack.att("AccessLogs"),
        "/AWSLogs/",
        {"Ref": "AWS::AccountId"},
        "/*",
    ]
    assert write["Condition"]["ArnLike"]["aws:SourceArn"]["Fn::Join"][1][-1] == ":loadbalancer/*"
    balancer = stack.body["Resources"][stack.logical_id("Application")]
    assert stack.logical_id("AccessLogs/Policy") in balancer["DependsOn"]


@pytest.mark.concept("alb.http2")
def test_the_load_balancer_speaks_http2(assembly: Assembly) -> None:
    stack = assembly.stacks["load-balancers"]

    assert attributes(stack, "Application")["routing.http2.enabled"] == "true"


@pytest.mark.concept("alb.http2", "alb.redirect")
def test_with_a_certificate_rules_are_those_of_https_and_http_is_redirected_there(
    options: StackTemplate,
) -> None:
    https = options["Application/Https"]
    assert (https["Protocol"], https["Port"]) == ("HTTPS", 443)
    assert https["Certificates"] == [{"CertificateArn": CERTIFICATE}]
    assert {
        each["ListenerArn"]["Ref"]
        for each in options.of_type("AWS::ElasticLoadBalancingV2::ListenerRule").values()
    } == {options.logical_id("Application/Https")}

    [action] = options["Application/Http"]["DefaultActions"]
    assert action["RedirectConfig"] == {
        "Protocol": "HTTPS",
        "Port": "443",
        "StatusCode": "HTTP_301",
    }
    assert admitted(options, "Application/SecurityGroup") == {
        ("tcp", 80, ANYWHERE),
        ("tcp", 443, ANYWHERE),
    }


@pytest.mark.parametrize("arn", ["shop.example.test", "arn:aws:s3:::certificate"])
def test_what_is_not_the_arn_of_a_certificate_is_refused(arn: str) -> None:
    certificate = elbv2.ListenerCertificate.from_arn(arn)

    with pytest.raises(InvalidArgumentError, match=f"certificate '{arn}' .*; give the ARN"):
        alone(compose, certificate=certificate)


@pytest.mark.concept("nlb.tcp", "nlb.udp")
@pytest.mark.parametrize(
    ("listener", "protocol", "targets"),
    [("Tcp", "TCP", "TcpTargets"), ("Tls", "TLS", "TcpTargets"), ("Udp", "UDP", "UdpTargets")],
)
def test_the_network_load_balancer_forwards_it_to_servers(
    options: StackTemplate, listener: str, protocol: str, targets: str
) -> None:
    properties = options[f"Network/{listener}"]

    assert options["Network"]["Type"] == "network"
    assert properties["LoadBalancerArn"] == options.ref("Network")
    assert properties["Protocol"] == protocol
    assert properties["DefaultActions"] == forwards_to(options, targets)
    # No datagram tells whether anybody is there.
    assert options[targets]["HealthCheckProtocol"] == "TCP"


@pytest.mark.concept("nlb.tcp", "nlb.udp")
def test_every_listener_of_the_network_load_balancer_is_open_from_clients_to_servers(
    options: StackTemplate,
) -> None:
    transports = {"TCP": "tcp", "TLS": "tcp", "UDP": "udp"}
    listeners = [
        each
        for each in options.of_type(LISTENER).values()
        if each["LoadBalancerArn"] == options.ref("Network")
    ]
    balancer, servers = (
        options.logical_id(group) for group in ("Network/SecurityGroup", "Servers")
    )

    assert admitted(options, "Network/SecurityGroup") == {
        (transports[each["Protocol"]], each["Port"], ANYWHERE) for each in listeners
    }
    # Health checks are TCP on the same port.
    ports = {("tcp", options["TcpTargets"]["Port"]), ("udp", options["UdpTargets"]["Port"])}
    assert ("tcp", options["UdpTargets"]["Port"]) in ports
    assert let_out(options, "Network/SecurityGroup") == {(*port, servers) for port in ports}
    assert {(*port, balancer) for port in ports} <= admitted(options, "Servers")


@pytest.mark.concept("nlb.tcp")
def test_servers_see_who_connects_and_not_the_network_load_balancer(
    options: StackTemplate,
) -> None:
    assert attributes(options, "TcpTargets")["preserve_client_ip.enabled"] == "true"


@pytest.mark.concept("gwlb.third-party-appliances")
def test_an_endpoint_leads_to_appliances_that_speak_geneve(options: StackTemplate) -> None:
    assert options["Gateway"]["Type"] == "gateway"
    assert options["GatewayListener"] == {
        "LoadBalancerArn": options.ref("Gateway"),
        "DefaultActions": forwards_to(options, "Appliances"),
    }
    assert (options["Appliances"]["Protocol"], options["Appliances"]["Port"]) == ("GENEVE", 6081)

    assert options["Inspection"]["GatewayLoadBalancerArns"] == [options.ref("Gateway")]
    endpoint = options["InspectionEndpoint"]
    assert endpoint["VpcEndpointType"] == "GatewayLoadBalancer"
    assert endpoint["ServiceName"]["Fn::Join"][1] == [
        "com.amazonaws.vpce.",
        {"Ref": "AWS::Region"},
        ".",
        options.att("Inspection", "ServiceId"),
    ]
    # An endpoint lies in one subnet.
    [subnet] = endpoint["SubnetIds"]
    assert "Isolated" in subnet["Fn::GetStackOutput"]["OutputName"]


@pytest.mark.concept("clb.classic")
def test_there_is_no_classic_load_balancer_unless_somebody_asks_for_one(
    assembly: Assembly, options: StackTemplate
) -> None:
    assert CLASSIC not in assembly.stacks["load-balancers"].types()

    balancer = options["Classic"]
    [listener] = balancer["Listeners"]
    assert (listener["Protocol"], listener["LoadBalancerPort"]) == ("http", "80")
    # What is an attribute of a target group today belongs to the load balancer.
    assert balancer["ConnectionDrainingPolicy"] == {"Enabled": True, "Timeout": 30}
    [cookie] = balancer["LBCookieStickinessPolicy"]
    assert (cookie["CookieExpirationPeriod"], [cookie["PolicyName"]]) == (
        "3600",
        listener["PolicyNames"],
    )


def test_whatever_is_switched_on_nothing_is_found_that_is_not_acknowledged(
    complete: Assembly,
) -> None:
    assert not complete.findings("load-balancers")


def shared(app: cdk.App) -> None:
    """The stack, and another one with a rule and a listener at its load balancer."""
    balancers = compose(app)
    other = cdk.Stack(app, "other")
    vpc = balancers.application_load_balancer.vpc
    assert vpc
    server = ec2.SecurityGroup(other, "Server", vpc=vpc, allow_all_outbound=False)
    targets = elbv2.ApplicationTargetGroup(
        other, "Targets", vpc=vpc, target_type=elbv2.TargetType.IP, port=8000
    )
    targets.register_connectable(ec2.Connections(security_groups=[server]), ec2.Port.tcp(8000))
    elbv2.ApplicationListenerRule(
        other,
        "Rule",
        listener=balancers.listener,
        priority=100,
        conditions=[elbv2.ListenerCondition.path_patterns(["/other/*"])],
        action=elbv2.ListenerAction.forward([targets]),
    )
    elbv2.ApplicationListener(
        other,
        "Listener",
        load_balancer=balancers.application_load_balancer,
        port=8080,
        open=False,
        default_action=elbv2.ListenerAction.forward([targets]),
    )


def test_rules_and_listeners_of_other_stacks_write_nothing_into_this_one() -> None:
    one, both = alone(compose).stacks, alone(shared).stacks

    # It publishes what the other one refers to, and nothing else.
    assert both["load-balancers"].body["Resources"] == one["load-balancers"].body["Resources"]
    assert both["other"]["Rule"]["Priority"] == 100
    [out] = both["other"].of_type("AWS::EC2::SecurityGroupEgress").values()
    assert (out["FromPort"], out["DestinationSecurityGroupId"]) == (
        8000,
        both["other"].att("Server", "GroupId"),
    )
