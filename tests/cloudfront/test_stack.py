"""What must stay true of the cloudfront blueprint; the snapshot shows whatever else changed."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_logs as logs
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from syrupy.assertion import SnapshotAssertion

from patterns.validations import InvalidArgumentError
from stacks.cloudfront import CloudfrontStack
from stacks.cloudfront.keys import NOBODYS_KEY
from tests.assembly import Assembly, StackTemplate, alone

CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"


def test_snapshot(assembly: Assembly, snapshot: SnapshotAssertion) -> None:
    assert assembly.stacks["cloudfront"].body == snapshot


@pytest.fixture
def cloudfront(sandbox: Assembly) -> StackTemplate:
    return sandbox.stacks["cloudfront"]


def compose(app: cdk.App, name: str = "alone-cloudfront", **options: Any) -> None:
    """The stack alone, without the logs of its requests."""
    CloudfrontStack(
        app,
        "cloudfront",
        stack_name=name,
        removal_policy=cdk.RemovalPolicy.DESTROY,
        access_logs=None,
        log_retention=logs.RetentionDays.ONE_WEEK,
        **options,
    )


@pytest.fixture(scope="module")
def at_edge() -> Assembly:
    """The stack with Lambda@Edge, and the stack that the function is in."""
    return alone(compose, negotiate_language=True)


def with_options(**options: Any) -> StackTemplate:
    """The stack, in which nothing is found that is not acknowledged."""
    assembly = alone(compose, **options)
    assert not assembly.findings("cloudfront")
    return assembly.stacks["cloudfront"]


def config(stack: StackTemplate) -> dict[str, Any]:
    found: dict[str, Any] = stack["Distribution"]["DistributionConfig"]
    return found


def behavior(stack: StackTemplate, pattern: str = "") -> dict[str, Any]:
    """What becomes of the requests below a path, or of all others."""
    if not pattern:
        return dict(config(stack)["DefaultCacheBehavior"])
    [found] = (b for b in config(stack)["CacheBehaviors"] if b["PathPattern"] == pattern)
    return dict(found)


def origin_of(stack: StackTemplate, pattern: str = "") -> dict[str, Any]:
    target = behavior(stack, pattern)["TargetOriginId"]
    [found] = (origin for origin in config(stack)["Origins"] if origin["Id"] == target)
    return dict(found)


def access_control(stack: StackTemplate, origin: dict[str, Any]) -> dict[str, Any]:
    [name, attribute] = origin["OriginAccessControlId"]["Fn::GetAtt"]
    assert attribute == "Id"
    return dict(stack.body["Resources"][name]["Properties"]["OriginAccessControlConfig"])


def only_this_distribution(stack: StackTemplate) -> dict[str, Any]:
    """Its ARN."""
    parts = [
        "arn:",
        {"Ref": "AWS::Partition"},
        ":cloudfront::",
        {"Ref": "AWS::AccountId"},
        ":distribution/",
        stack.ref("Distribution"),
    ]
    return {"Fn::Join": ["", parts]}


@pytest.mark.concept("cloudfront.cdn")
def test_everything_is_delivered_and_over_tls_only(cloudfront: StackTemplate) -> None:
    behaviors = [config(cloudfront)["DefaultCacheBehavior"], *config(cloudfront)["CacheBehaviors"]]

    assert config(cloudfront)["Enabled"] is True
    assert config(cloudfront)["PriceClass"] == "PriceClass_100"
    assert {each["ViewerProtocolPolicy"] for each in behaviors} == {"redirect-to-https"}


@pytest.mark.concept("cloudfront.origin-s3")
@pytest.mark.parametrize("pattern", ["", "/private/*"])
def test_pages_come_from_a_bucket_by_signed_requests(
    cloudfront: StackTemplate, pattern: str
) -> None:
    origin = origin_of(cloudfront, pattern)

    assert origin["DomainName"] == cloudfront.att("Site", "RegionalDomainName")
    assert origin["S3OriginConfig"] == {"OriginAccessIdentity": ""}
    control = access_control(cloudfront, origin)
    # An account's names are one set, whatever the region.
    assert control["Name"]["Fn::Join"][1][-1] == {"Ref": "AWS::Region"}
    assert control["OriginAccessControlOriginType"] == "s3"
    assert (control["SigningBehavior"], control["SigningProtocol"]) == ("always", "sigv4")


@pytest.mark.concept("cloudfront.origin-s3")
def test_the_bucket_lets_in_this_distribution_and_nobody_else(cloudfront: StackTemplate) -> None:
    statements = cloudfront["Site/Policy"]["PolicyDocument"]["Statement"]
    [allow] = (each for each in statements if each["Effect"] == "Allow")

    assert allow["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert allow["Action"] == "s3:GetObject"
    [(operator, condition)] = allow["Condition"].items()
    assert operator == "StringEquals"
    assert condition == {"AWS:SourceArn": only_this_distribution(cloudfront)}
    assert set(cloudfront["Site"]["PublicAccessBlockConfiguration"].values()) == {True}


@pytest.mark.concept("cloudfront.origin-http")
def test_what_is_below_api_comes_from_an_http_server_and_is_not_cached(
    cloudfront: StackTemplate,
) -> None:
    origin = origin_of(cloudfront, "/api/*")

    assert origin["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"
    assert origin["DomainName"]["Fn::Select"][1]["Fn::Split"] == [
        "/",
        cloudfront.att("Catalog/FunctionUrl", "FunctionUrl"),
    ]
    assert behavior(cloudfront, "/api/*")["CachePolicyId"] == CACHING_DISABLED


@pytest.mark.concept("cloudfront.origin-http")
def test_the_http_server_answers_this_distribution_and_nobody_else(
    cloudfront: StackTemplate,
) -> None:
    control = access_control(cloudfront, origin_of(cloudfront, "/api/*"))
    assert control["Name"]["Fn::Join"][1][-1] == {"Ref": "AWS::Region"}
    assert control["OriginAccessControlOriginType"] == "lambda"
    assert control["SigningBehavior"] == "always"
    assert cloudfront["Catalog/FunctionUrl"]["AuthType"] == "AWS_IAM"

    permissions = cloudfront.of_type("AWS::Lambda::Permission").values()
    assert {each["Action"] for each in permissions} == {
        "lambda:InvokeFunction",
        "lambda:InvokeFunctionUrl",
    }
    for permission in permissions:
        assert permission["Principal"] == "cloudfront.amazonaws.com"
        assert permission["SourceArn"] == only_this_distribution(cloudfront)


@pytest.mark.concept(
    "cloudfront.cache-key-headers",
    "cloudfront.cache-key-cookies",
    "cloudfront.cache-key-query-strings",
)
def test_the_catalog_is_cached_by_one_header_one_cookie_and_one_parameter(
    cloudfront: StackTemplate,
) -> None:
    key = cloudfront["Variants"]["CachePolicyConfig"]["ParametersInCacheKeyAndForwardedToOrigin"]

    assert behavior(cloudfront, "/catalog/*")["CachePolicyId"] == cloudfront.ref("Variants")
    assert origin_of(cloudfront, "/catalog/*") == origin_of(cloudfront, "/api/*")
    assert key["HeadersConfig"] == {"HeaderBehavior": "whitelist", "Headers": ["Accept-Language"]}
    assert key["CookiesConfig"] == {"CookieBehavior": "whitelist", "Cookies": ["currency"]}
    assert key["QueryStringsConfig"] == {
        "QueryStringBehavior": "whitelist",
        "QueryStrings": ["size"],
    }


@pytest.mark.concept("cloudfront.signed-url", "cloudfront.signed-cookies")
def test_what_is_below_private_takes_a_signature_of_a_readers_key(
    cloudfront: StackTemplate,
) -> None:
    [(name, key)] = cloudfront.of_type("AWS::CloudFront::PublicKey").items()

    assert behavior(cloudfront, "/private/*")["TrustedKeyGroups"] == [cloudfront.ref("Readers")]
    assert cloudfront["Readers"]["KeyGroupConfig"]["Items"] == [{"Ref": name}]
    assert key["PublicKeyConfig"]["EncodedKey"] == NOBODYS_KEY
    for pattern in ("", "/api/*", "/catalog/*"):
        assert "TrustedKeyGroups" not in behavior(cloudfront, pattern)


@pytest.mark.concept("cloudfront.signed-url")
def test_another_key_is_another_resource_because_cloudfront_changes_none(
    cloudfront: StackTemplate,
) -> None:
    own = ec.generate_private_key(ec.SECP256R1()).public_key()
    encoded = own.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()

    other = with_options(public_key=encoded).of_type("AWS::CloudFront::PublicKey")

    before = cloudfront.of_type("AWS::CloudFront::PublicKey")
    assert not other.keys() & before.keys()
    [key] = other.values()
    assert key["PublicKeyConfig"]["EncodedKey"] == encoded
    assert key["PublicKeyConfig"]["Name"] not in [
        each["PublicKeyConfig"]["Name"] for each in before.values()
    ]


def test_what_is_no_key_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="public_key, of 5 characters"):
        alone(compose, public_key="a key")


@pytest.mark.concept("lambda.at-edge")
def test_a_cloudfront_function_looks_at_each_request_before_the_cache_does(
    cloudfront: StackTemplate,
) -> None:
    function = cloudfront["DirectoryIndex"]

    assert behavior(cloudfront)["FunctionAssociations"] == [
        {
            "EventType": "viewer-request",
            "FunctionARN": cloudfront.att("DirectoryIndex", "FunctionARN"),
        }
    ]
    assert function["FunctionConfig"]["Runtime"] == "cloudfront-js-2.0"
    assert function["AutoPublish"] is True
    assert "function handler(event)" in function["FunctionCode"]
    assert "LambdaFunctionAssociations" not in behavior(cloudfront)
    assert behavior(cloudfront)["CachePolicyId"] == CACHING_OPTIMIZED


@pytest.mark.concept("lambda.at-edge")
def test_lambda_at_edge_looks_at_each_request_that_goes_to_the_origin(at_edge: Assembly) -> None:
    stack, edge = at_edge.stacks["cloudfront"], at_edge.stacks["cloudfront-edge"]
    [association] = behavior(stack)["LambdaFunctionAssociations"]
    reference = association["LambdaFunctionARN"]["Fn::GetStackOutput"]

    assert association["EventType"] == "origin-request"
    assert (reference["StackName"], reference["Region"]) == ("alone-cloudfront-edge", "us-east-1")
    version = edge.body["Outputs"][reference["OutputName"]]["Value"]["Ref"]
    assert edge.body["Resources"][version]["Type"] == "AWS::Lambda::Version"
    assert edge.body["Resources"][version]["DeletionPolicy"] == "Retain"
    # What the function looks at has to be in the key of the answers that are cached.
    assert behavior(stack)["CachePolicyId"] == stack.ref("Variants")


@pytest.mark.concept("lambda.at-edge")
def test_the_function_at_the_edge_is_in_us_east_1_whatever_the_region_of_the_distribution(
    at_edge: Assembly,
) -> None:
    artifacts = at_edge.manifest["artifacts"]
    edge = at_edge.stacks["cloudfront-edge"]
    function = edge["NegotiateLanguage"]

    assert artifacts["cloudfront-edge"]["environment"] == "aws://unknown-account/us-east-1"
    assert artifacts["cloudfront"]["environment"] == "aws://unknown-account/unknown-region"
    assert "cloudfront-edge" in artifacts["cloudfront"]["dependencies"]
    assert function["Architectures"] == ["x86_64"]
    assert not {"Environment", "Layers", "TracingConfig", "VpcConfig"} & function.keys()
    [trust] = edge["NegotiateLanguageRole"]["AssumeRolePolicyDocument"]["Statement"]
    assert set(trust["Principal"]["Service"]) == {
        "lambda.amazonaws.com",
        "edgelambda.amazonaws.com",
    }


@pytest.mark.concept("lambda.at-edge")
def test_other_code_at_the_edge_changes_what_the_distribution_refers_to(
    at_edge: Assembly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index.py").write_text("def handler(event, context): ...\n")
    monkeypatch.setattr("stacks.cloudfront.edge.SOURCE", str(tmp_path))

    other = with_options(negotiate_language=True)

    assert (
        behavior(other)["LambdaFunctionAssociations"]
        != behavior(at_edge.stacks["cloudfront"])["LambdaFunctionAssociations"]
    )


def test_at_the_edge_nothing_is_found_that_is_not_acknowledged(at_edge: Assembly) -> None:
    assert not at_edge.findings("cloudfront")


def test_no_name_is_longer_than_cloudfront_allows_or_another_stacks() -> None:
    long_name = f"{'long-' * 18}cloudfront"
    stack = with_options(name=long_name)
    other = with_options(name=long_name.replace("long", "lang"))

    def name_of(template: StackTemplate) -> str:
        return "".join(
            part if isinstance(part, str) else "ap-southeast-7"
            for part in template["DirectoryIndex"]["Name"]["Fn::Join"][1]
        )

    assert len(name_of(stack)) <= 64
    assert name_of(stack) != name_of(other)


def test_production_keeps_the_buckets_and_for_a_year_the_log_of_every_request(
    cloudfront: StackTemplate, production: Assembly
) -> None:
    stack = production.stacks["cloudfront"]

    for template, policy in ((cloudfront, "Delete"), (stack, "Retain")):
        for name in template.of_type("AWS::S3::Bucket"):
            assert template.body["Resources"][name]["DeletionPolicy"] == policy
    assert config(stack)["Logging"]["Bucket"] == stack.att("AccessLogs", "RegionalDomainName")
    logged = stack["Site"]["LoggingConfiguration"]["DestinationBucketName"]
    assert logged == stack.ref("AccessLogs")
    [expiry] = stack["AccessLogs"]["LifecycleConfiguration"]["Rules"]
    assert (expiry["Status"], expiry["ExpirationInDays"]) == ("Enabled", 365)
    assert "Logging" not in config(cloudfront)
