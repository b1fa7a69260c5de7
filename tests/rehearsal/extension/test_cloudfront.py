from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.extension.conftest import Client, Deploy, Resources, Server

KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEpkYHtCAVCWQk6cQHUDGrUDtgzNIb
0nf7PeEh8WNq8S+avSOPL8yY3gGsa2E3fEk8FnC/8uWC0SVdEYJt6VQhxA==
-----END PUBLIC KEY-----
"""
ECHO = """
def handler(event, context):
    return {"statusCode": 200, "body": ",".join(event.get("cookies", ["no cookies"]))}
"""
CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


def keys(*members: str, comment: str = "") -> Resources:
    """Two keys, and a group of some of them."""
    return {
        **{
            name: resource(
                "CloudFront::PublicKey",
                PublicKeyConfig={
                    "CallerReference": name,
                    "Name": name,
                    "EncodedKey": KEY,
                    "Comment": comment,
                },
            )
            for name in ("First", "Second")
        },
        "Group": resource(
            "CloudFront::KeyGroup",
            KeyGroupConfig={"Name": "group", "Items": [{"Ref": name} for name in members]},
        ),
    }


def test_a_group_trusts_the_keys_that_the_template_says_also_after_a_change(
    deploy: Deploy, client: Client
) -> None:
    cloudfront = client("cloudfront")
    stack = deploy(keys("First"), Id={"Fn::GetAtt": ["Group", "Id"]})

    def trusted() -> list[str]:
        config = cloudfront.get_key_group_config(Id=stack["Group"])["KeyGroupConfig"]
        return list(config["Items"])

    assert stack.outputs["Id"] == stack["Group"]
    assert trusted() == [stack["First"]]
    stack.update(keys("Second", comment="rotated"))
    assert trusted() == [stack["Second"]]
    described = cloudfront.get_public_key_config(Id=stack["Second"])["PublicKeyConfig"]
    assert (described["EncodedKey"], described["Comment"]) == (KEY, "rotated")


def test_keys_and_groups_go_with_their_stack_even_if_somebody_changed_them(
    deploy: Deploy, client: Client
) -> None:
    cloudfront = client("cloudfront")
    stack = deploy(keys("First"))
    group, key = stack["Group"], stack["First"]
    seen = cloudfront.get_key_group(Id=group)["ETag"]
    config = {"Name": "group", "Items": [key], "Comment": "changed by hand"}
    cloudfront.update_key_group(Id=group, IfMatch=seen, KeyGroupConfig=config)

    stack.delete()

    with pytest.raises(ClientError, match="NoSuch"):
        cloudfront.get_key_group(Id=group)
    with pytest.raises(ClientError, match="NoSuch"):
        cloudfront.get_public_key(Id=key)


def function_url(auth_type: str) -> Resources:
    """The URL of a function that answers with the cookies it was told."""
    policy = {"Version": "2012-10-17", "Statement": []}
    return {
        "Role": resource("IAM::Role", AssumeRolePolicyDocument=policy),
        "Echo": resource(
            "Lambda::Function",
            Runtime="python3.13",
            Handler="index.handler",
            Code={"ZipFile": ECHO},
            Role={"Fn::GetAtt": ["Role", "Arn"]},
        ),
        "Url": resource("Lambda::Url", TargetFunctionArn={"Ref": "Echo"}, AuthType=auth_type),
    }


def distribution(*, trusted: tuple[str, ...] = (), **access: Any) -> Resources:
    """A distribution before a function URL that wants signatures."""
    host = {"Fn::Select": [2, {"Fn::Split": ["/", {"Fn::GetAtt": ["Url", "FunctionUrl"]}]}]}
    origin = {
        "Id": "function",
        "DomainName": host,
        "CustomOriginConfig": {"OriginProtocolPolicy": "https-only"},
        **access,
    }
    behavior = {
        "TargetOriginId": "function",
        "ViewerProtocolPolicy": "allow-all",
        "CachePolicyId": CACHING_DISABLED,
        "TrustedKeyGroups": [{"Ref": name} for name in trusted],
    }
    return {
        **function_url("AWS_IAM"),
        "Access": resource(
            "CloudFront::OriginAccessControl",
            OriginAccessControlConfig={
                "Name": "access",
                "OriginAccessControlOriginType": "lambda",
                "SigningBehavior": "always",
                "SigningProtocol": "sigv4",
            },
        ),
        "Site": resource(
            "CloudFront::Distribution",
            DistributionConfig={
                "Enabled": True,
                "Origins": [origin],
                "DefaultCacheBehavior": behavior,
            },
        ),
    }


def ask(server: Server, domain_name: str, **headers: str) -> tuple[int, str]:
    """The status and the text of an answer."""
    try:
        request = Request(server.url, headers={"Host": domain_name, **headers})
        with urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("access", "expected"),
    [({"OriginAccessControlId": {"Ref": "Access"}}, 200), ({}, 403)],
    ids=["with access control", "without"],
)
def test_a_function_url_that_wants_signatures_answers_a_distribution_with_access_control(
    deploy: Deploy, server: Server, access: dict[str, Any], expected: int
) -> None:
    stack = deploy(distribution(**access), Domain={"Fn::GetAtt": ["Site", "DomainName"]})

    status, _ = ask(server, stack.outputs["Domain"])
    assert status == expected


def test_a_distribution_delivers_private_content_to_nobody_who_has_not_signed(
    deploy: Deploy, server: Server
) -> None:
    resources = {
        **keys("First"),
        **distribution(trusted=("Group",), OriginAccessControlId={"Ref": "Access"}),
    }
    stack = deploy(resources, Domain={"Fn::GetAtt": ["Site", "DomainName"]})

    status, body = ask(server, stack.outputs["Domain"])
    assert (status, "MissingKey" in body) == (403, True)


def test_a_function_is_told_the_cookies_that_came_to_its_url(
    deploy: Deploy, server: Server
) -> None:
    stack = deploy(function_url("NONE"), Url={"Fn::GetAtt": ["Url", "FunctionUrl"]})
    host = stack.outputs["Url"].split("/")[2]

    assert ask(server, host, Cookie="milk=yes; sugar=2") == (200, "milk=yes,sugar=2")
    assert ask(server, host) == (200, "no cookies")
