"""What is allowed beyond need, and who is let in without being named."""

from collections.abc import Iterator, Sequence
from typing import Any

from tests.gates.policies import Statement, statements, text
from tests.gates.resources import Resource, listed, walk

REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference/"
# These know no resource to name, says the page.
WITHOUT_RESOURCE = {
    **dict.fromkeys(
        (
            "logs:CreateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:DescribeLogGroups",
            "logs:DescribeResourcePolicies",
            "logs:GetLogDelivery",
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:UpdateLogDelivery",
        ),
        "https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html",
    ),
    "ec2:DescribeNetworkInterfaces": f"{REFERENCE}list_amazonec2.html",
    "ec2:DescribeSubnets": f"{REFERENCE}list_amazonec2.html",
    "ecs:DiscoverPollEndpoint": f"{REFERENCE}list_amazonelasticcontainerservice.html",
    "xray:GetSamplingRules": f"{REFERENCE}list_awsx-ray.html",
    "xray:GetSamplingTargets": f"{REFERENCE}list_awsx-ray.html",
    "xray:PutTelemetryRecords": f"{REFERENCE}list_awsx-ray.html",
    "xray:PutTraceSegments": f"{REFERENCE}list_awsx-ray.html",
}
# By path: whom they let in, and why.
OPEN_TO_EVERYBODY = {
    "lambda/Live/invoke-function-url": "The public function URL is what it shows.",
    "lambda/Live/invoke-function": "The second permission of the same URL; it is bound to URLs.",
}
OPEN_INGRESS: dict[str, str] = {
    "auto-scaling/Door": "The listener for everybody is its entrance.",
    "beanstalk/Instances": "A single instance serves a web application to everybody itself.",
    "beanstalk/LoadBalancers": "They serve a web application to everybody.",
    "ec2/Web": "A web page for everybody, on port 80, is what it shows.",
    "load-balancers/Application/SecurityGroup": "The entrance for everybody is what it is.",
}

MANAGED_FOR_TOO_MUCH = ("FullAccess", "AdministratorAccess", "PowerUserAccess")
# A key's policy is about that key: its `*` is no other.
SPEAKS_OF_ITSELF = {"AWS::KMS::Key", "AWS::KMS::ReplicaKey"}
# Of the conditions, these say who; a protocol or an address range does not.
SAYS_WHO = {
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceorgid",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "kms:calleraccount",
}
ANYWHERE = {"0.0.0.0/0", "::/0"}


def excessive(everything: Sequence[Resource]) -> Iterator[str]:
    """What a statement or a managed policy allows beyond what its holder needs."""
    for resource in everything:
        for _, value in walk(resource.properties):
            arn = text(value)
            if arn.startswith("arn:") and arn.endswith(MANAGED_FOR_TOO_MUCH):
                yield f"{resource}: has AWS's {arn.split('/')[-1]}; grant single actions instead"
        for statement in statements(resource):
            if statement.allows:
                yield from _beyond(statement)


def open_doors(everything: Sequence[Resource]) -> Iterator[str]:
    """Who is let in without being named, by a policy or by a security group."""
    for resource in everything:
        if resource.path not in OPEN_TO_EVERYBODY and any(lets_everybody_in(resource)):
            yield (
                f"{resource}: lets everybody in; name the principal, or list {resource.path} in "
                "OPEN_TO_EVERYBODY with the reason"
            )
        if resource.path not in OPEN_INGRESS:
            for cidr in open_ingress(resource):
                yield (
                    f"{resource}: can be reached from {cidr}; name a security group or a range, or "
                    f"list {resource.path} in OPEN_INGRESS with the reason"
                )


def _beyond(statement: Statement) -> Iterator[str]:
    where = statement.resource
    for inverted in {"NotAction", "NotResource", "NotPrincipal"} & statement.body.keys():
        yield f"{where}: Allow with {inverted} allows whatever is added later; list what is needed"
    for action in statement.actions:
        if action == "*" or action.endswith(":*"):
            if _is_the_accounts_own_key(statement):
                continue
            yield f"{where}: allows {action}; name the actions"
        elif "*" in statement.resources and not _may_say_anything(statement, action):
            yield (
                f"{where}: allows {action} on every resource; name the resource, or list the "
                "action in WITHOUT_RESOURCE with its page"
            )


def _may_say_anything(statement: Statement, action: str) -> bool:
    """Whether ``Resource: *`` is no more than what is meant."""
    if statement.principals:
        return statement.resource.type in SPEAKS_OF_ITSELF or bool(statement.condition_keys)
    return action in WITHOUT_RESOURCE


def _is_the_accounts_own_key(statement: Statement) -> bool:
    """Without this statement, IAM policies of the account could not grant use of the key.

    https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
    """
    return (
        statement.resource.type in SPEAKS_OF_ITSELF
        and statement.actions == ["kms:*"]
        and all(who.endswith(":iam::<AWS::AccountId>:root") for who in statement.principals)
    )


def lets_everybody_in(resource: Resource) -> Iterator[Any]:
    """The statements and permissions that name no principal and no source."""
    if resource.type == "AWS::Lambda::Permission":
        properties = resource.properties
        named = {"SourceArn", "SourceAccount", "PrincipalOrgID"} & properties.keys()
        if properties["Principal"] == "*" and not named:
            yield properties
    # An endpoint's policy lets nobody in: it narrows what those inside may reach.
    elif resource.type != "AWS::EC2::VPCEndpoint":
        for statement in statements(resource):
            everybody = "*" in statement.principals
            if statement.allows and everybody and not statement.condition_keys & SAYS_WHO:
                yield statement


def open_ingress(resource: Resource) -> Iterator[str]:
    """The ranges that hold every address, of rules that let them in."""
    rules: list[Any] = []
    if resource.type == "AWS::EC2::SecurityGroupIngress":
        rules = [resource.properties]
    elif resource.type == "AWS::EC2::SecurityGroup":
        rules = listed(resource.properties.get("SecurityGroupIngress", []))
    for rule in rules:
        yield from ANYWHERE & {text(rule.get("CidrIp")), text(rule.get("CidrIpv6"))}
