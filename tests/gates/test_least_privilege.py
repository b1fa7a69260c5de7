"""Nobody may do more than their part, and nobody is let in who is not named."""

from typing import Any

import pytest

from tests.assembly import Assembly
from tests.gates.findings import refuse
from tests.gates.policies import statements
from tests.gates.privileges import (
    OPEN_INGRESS,
    OPEN_TO_EVERYBODY,
    WITHOUT_RESOURCE,
    excessive,
    lets_everybody_in,
    open_doors,
    open_ingress,
)
from tests.gates.resources import Resource, example, resources


def test_nobody_is_allowed_more_than_they_need(assembly: Assembly) -> None:
    refuse(excessive(resources(assembly)))


def test_nobody_is_let_in_who_is_not_named(assembly: Assembly) -> None:
    refuse(open_doors(resources(assembly)))


def test_every_exception_is_still_needed(sandbox: Assembly, production: Assembly) -> None:
    everything = [*resources(sandbox), *resources(production)]
    allowed = {
        action
        for resource in everything
        for statement in statements(resource)
        if "*" in statement.resources
        for action in statement.actions
    }

    assert set(WITHOUT_RESOURCE) <= allowed
    assert set(OPEN_TO_EVERYBODY) <= {r.path for r in everything if any(lets_everybody_in(r))}
    assert set(OPEN_INGRESS) <= {r.path for r in everything if any(open_ingress(r))}


def policy(**statement: Any) -> Resource:
    return example(
        "AWS::IAM::Policy", PolicyDocument={"Statement": [{"Effect": "Allow", **statement}]}
    )


def policy_on(resource_type: str, **statement: Any) -> Resource:
    document = {"Statement": {"Effect": "Allow", **statement}}
    return example(resource_type, PolicyDocument=document)


QUEUE = {"Fn::GetAtt": ["Orders", "Arn"]}
ROOT = {"AWS": {"Fn::Join": ["", ["arn:aws:iam::", {"Ref": "AWS::AccountId"}, ":root"]]}}
FULL_ACCESS = {
    "Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":iam::aws:policy/S3FullAccess"]]
}


@pytest.mark.parametrize(
    ("resource", "finding"),
    [
        (policy(Action="*", Resource=QUEUE), "allows *; name the actions"),
        (policy(Action=["sqs:*"], Resource=QUEUE), "allows sqs:*; name the actions"),
        (
            policy(Action="sqs:SendMessage", Resource="*"),
            "allows sqs:SendMessage on every resource; name the resource, or list the action in "
            "WITHOUT_RESOURCE with its page",
        ),
        (
            policy(NotAction="iam:*", Resource=QUEUE),
            "Allow with NotAction allows whatever is added later; list what is needed",
        ),
        (
            policy(Action="sqs:SendMessage", NotResource=QUEUE),
            "Allow with NotResource allows whatever is added later; list what is needed",
        ),
        (
            example("AWS::IAM::Role", ManagedPolicyArns=[FULL_ACCESS]),
            "has AWS's S3FullAccess; grant single actions instead",
        ),
        (
            policy_on("AWS::S3::BucketPolicy", Principal=ROOT, Action="s3:GetObject", Resource="*"),
            "allows s3:GetObject on every resource; name the resource, or list the action in "
            "WITHOUT_RESOURCE with its page",
        ),
        (
            example(
                "AWS::Logs::ResourcePolicy",
                PolicyDocument={
                    "Fn::Join": [
                        "",
                        [
                            '{"Statement":[{"Effect":"Allow","Action":"logs:*","Resource":"',
                            QUEUE,
                            '"}]}',
                        ],
                    ]
                },
            ),
            "allows logs:*; name the actions",
        ),
        (
            policy_on("AWS::KMS::Key", Principal={"AWS": "*"}, Action="kms:*", Resource="*"),
            "allows kms:*; name the actions",
        ),
    ],
    ids=lambda value: "" if isinstance(value, Resource) else value[:30],
)
def test_what_allows_too_much_is_found(resource: Resource, finding: str) -> None:
    assert list(excessive([resource])) == [f"{resource}: {finding}"]


@pytest.mark.parametrize(
    "resource",
    [
        policy(Action="xray:PutTraceSegments", Resource="*"),
        policy(Effect="Deny", Action="*", Resource="*"),
        policy_on("AWS::KMS::Key", Principal=ROOT, Action="kms:*", Resource="*"),
        policy_on("AWS::KMS::Key", Principal=ROOT, Action="kms:Decrypt", Resource="*"),
        example("AWS::IAM::Role", ManagedPolicyArns=["arn:aws:iam::aws:policy/ReadOnlyAccess"]),
    ],
    ids=["no resource to name", "deny", "default key policy", "key policy", "managed"],
)
def test_what_allows_no_more_than_it_seems_is_not_found(resource: Resource) -> None:
    assert not list(excessive([resource]))


def test_only_a_named_principal_is_let_in() -> None:
    subject: dict[str, Any] = {"Action": "sqs:SendMessage", "Resource": QUEUE}
    tls = {"Bool": {"aws:SecureTransport": "true"}}
    topic = {"ArnEquals": {"aws:SourceArn": {"Ref": "Topic"}}}
    queue = "AWS::SQS::QueuePolicy"
    trust = {
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]
    }
    closed = [
        policy_on(queue, Principal=ROOT, **subject),
        policy_on(queue, Principal="*", Condition=topic, **subject),
        policy_on(queue, Principal="*", **{**subject, "Effect": "Deny"}),
        policy_on("AWS::EC2::VPCEndpoint", Principal="*", **subject),
        example("AWS::Lambda::Permission", Principal="s3.amazonaws.com"),
    ]
    ajar = [
        policy_on(queue, Principal="*", **subject),
        policy_on(queue, Principal={"AWS": ["*"]}, Condition=tls, **subject),
        example("AWS::IAM::Role", AssumeRolePolicyDocument=trust),
        example("AWS::Lambda::Permission", Principal="*"),
    ]

    assert not list(open_doors(closed))
    assert list(open_doors(ajar)) == [
        f"{resource}: lets everybody in; name the principal, or list shop/Thing in "
        "OPEN_TO_EVERYBODY with the reason"
        for resource in ajar
    ]


@pytest.mark.parametrize(
    "resource",
    [
        example("AWS::EC2::SecurityGroup", SecurityGroupIngress=[{"CidrIp": "0.0.0.0/0"}]),
        example("AWS::EC2::SecurityGroup", SecurityGroupIngress=[{"CidrIpv6": "::/0"}]),
        example("AWS::EC2::SecurityGroupIngress", CidrIp="0.0.0.0/0"),
    ],
    ids=["inline", "inline IPv6", "of its own"],
)
def test_an_open_port_is_found(resource: Resource) -> None:
    [finding] = open_doors([resource])

    assert finding.startswith(f"{resource}: can be reached from ")
    assert finding.endswith("or list shop/Thing in OPEN_INGRESS with the reason")


def test_a_port_open_to_the_vpc_is_not_found() -> None:
    inside = [{"CidrIp": {"Fn::GetAtt": ["Vpc", "CidrBlock"]}}, {"SourceSecurityGroupId": "sg-1"}]

    assert not list(open_doors([example("AWS::EC2::SecurityGroup", SecurityGroupIngress=inside)]))
