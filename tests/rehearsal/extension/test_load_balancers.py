"""What CloudFormation makes of load balancers, as they then describe it and as they answer."""

import http.client
from contextlib import closing
from typing import Any

import pytest

from tests.rehearsal.extension.conftest import Client, Deploy, Resources, Server

HANDLER = """
def handler(event, context):
    return {"statusCode": 200, "headers": {}, "body": event["requestContext"]["elb"] and "tea"}
"""


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def target_group(*addresses: str) -> Resources:
    targets = [{"Id": address, "Port": 80} for address in addresses]
    group = resource(
        "ElasticLoadBalancingV2::TargetGroup",
        TargetType="ip",
        Protocol="HTTP",
        Port=80,
        VpcId="vpc-1",
        **({"Targets": targets} if targets else {}),
    )
    return {"Group": group}


ANSWER_BY_FUNCTION: Resources = {
    "Role": resource("IAM::Role", AssumeRolePolicyDocument={"Statement": []}),
    "Function": resource(
        "Lambda::Function",
        Code={"ZipFile": HANDLER},
        Handler="index.handler",
        Runtime="python3.13",
        Role={"Fn::GetAtt": ["Role", "Arn"]},
    ),
    "Group": resource(
        "ElasticLoadBalancingV2::TargetGroup",
        TargetType="lambda",
        Targets=[{"Id": {"Fn::GetAtt": ["Function", "Arn"]}}],
    ),
}


def fixed(status: str) -> list[dict[str, Any]]:
    return [{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": status}}]


def listening(
    actions: list[dict[str, Any]], *conditions: dict[str, Any], default: str = "404"
) -> Resources:
    """A load balancer that acts on conditions."""
    return {
        "Balancer": resource(
            "ElasticLoadBalancingV2::LoadBalancer",
            Subnets=["subnet-1", "subnet-2"],
            Type="application",
        ),
        "Listener": resource(
            "ElasticLoadBalancingV2::Listener",
            LoadBalancerArn={"Ref": "Balancer"},
            Port=80,
            Protocol="HTTP",
            DefaultActions=fixed(default),
        ),
        "Rule": resource(
            "ElasticLoadBalancingV2::ListenerRule",
            ListenerArn={"Ref": "Listener"},
            Priority=1,
            Conditions=list(conditions),
            Actions=actions,
        ),
    }


NAME = {"Name": {"Fn::GetAtt": ["Balancer", "DNSName"]}}
ANY_PATH = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/*"]}}


def query(**parameters: str) -> dict[str, Any]:
    values = [{"Key": name, "Value": value} for name, value in parameters.items()]
    return {"Field": "query-string", "QueryStringConfig": {"Values": values}}


def asked(server: Server, name: str, path: str) -> tuple[int, str]:
    """What a load balancer answers."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        connection.request("GET", path, headers={"Host": name})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def registered(client: Client, group: str) -> set[str]:
    health = client("elbv2").describe_target_health(TargetGroupArn=group)
    return {each["Target"]["Id"] for each in health["TargetHealthDescriptions"]}


def test_targets_of_the_template_are_registered_and_follow_it(
    deploy: Deploy, client: Client
) -> None:
    stack = deploy(target_group("10.0.0.1", "10.0.0.2"))
    group = stack["Group"]
    client("elbv2").register_targets(TargetGroupArn=group, Targets=[{"Id": "10.0.0.9"}])
    assert registered(client, group) == {"10.0.0.1", "10.0.0.2", "10.0.0.9"}

    stack.update(target_group("10.0.0.2", "10.0.0.3"))

    # What others have registered is none of the template's business.
    assert registered(client, group) == {"10.0.0.2", "10.0.0.3", "10.0.0.9"}
    stack.update(target_group())
    assert registered(client, group) == {"10.0.0.9"}


def test_a_function_of_the_template_answers(deploy: Deploy, server: Server) -> None:
    forward = [{"Type": "forward", "TargetGroupArn": {"Ref": "Group"}}]
    stack = deploy({**ANSWER_BY_FUNCTION, **listening(forward, ANY_PATH)}, **NAME)

    assert asked(server, stack.outputs["Name"], "/") == (200, "tea")


def test_a_parameter_of_the_query_is_matched_together_with_what_else_the_rule_says(
    deploy: Deploy, server: Server
) -> None:
    path = {"Field": "path-pattern", "PathPatternConfig": {"Values": ["/tea"]}}
    stack = deploy(listening(fixed("204"), query(version="v2"), path), **NAME)
    name = stack.outputs["Name"]

    assert asked(server, name, "/tea?version=v2&milk=1")[0] == 204
    for other in ("/tea", "/tea?version=v1", "/tea?v2", "/coffee?version=v2"):
        assert asked(server, name, other)[0] == 404

    stack.update(listening(fixed("204"), query(version="v3")), **NAME)

    assert asked(server, name, "/coffee?version=v3")[0] == 204
    assert asked(server, name, "/tea?version=v2")[0] == 404


@pytest.mark.parametrize(
    "values",
    [
        [{"Key": "version", "Value": "v*"}],
        [{"Key": "version", "Value": "v2"}, {"Key": "version", "Value": "v3"}],
        [{"Value": "v2"}],
    ],
    ids=["a pattern", "one of two", "under any name"],
)
def test_what_it_would_match_otherwise_than_aws_is_refused(
    attempt: Deploy, values: list[dict[str, str]]
) -> None:
    condition = {"Field": "query-string", "QueryStringConfig": {"Values": values}}
    stack = attempt(listening(fixed("204"), condition))

    assert stack.status == "ROLLBACK_COMPLETE"
    assert "compares one parameter of a query, by its name" in stack.reasons[0]
