"""Nothing is found that is not answered, and every answer still answers something."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sqs as sqs

from tests.assembly import CONTEXT, ROOT, Assembly, add_packs
from tests.gates.findings import refuse
from tests.gates.linting import LIFECYCLE, lint
from tests.gates.resources import Resource, example, resources, walk

Report = list[dict[str, Any]]
# The CDK answers its own findings, whether they come up or not.
BY_THE_CDK = {
    "Literal AZs in template are the result of accessing stack.availabilityZones, this is "
    "expected and safe",
    "AWS::EC2::FlowLog DestinationOptions accepts properties in camelCase, even they are listed "
    "as PascalCase in the spec",
}
# What EC2 takes for a description, of a security group or of a rule:
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpRange.html
DESCRIPTION = re.compile(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{0,255}")
DESCRIBED = {
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
}
# An L2 stands for these children: nobody acknowledges below it.
OWN_CHILDREN = {"Resource", "DefaultPolicy", "Default"}


def violations(report: Report) -> Iterator[str]:
    """What no construct acknowledges, whichever plugin found it."""
    for plugin in report:
        for violation in plugin["violations"]:
            for construct in violation["violatingConstructs"]:
                rule = f"{plugin['pluginName'].replace(' ', '-')}::{violation['ruleName']}"
                remedy = violation.get(
                    "suggestedFix", f"Put it right, or acknowledge '{rule}' there with the reason."
                )
                yield f"{_where(construct)}: {rule}: {violation['description'].strip()} {remedy}"


def lint_findings(assembly: Assembly) -> Iterator[str]:
    """What cfn-lint says; how long services last is the freshness gate's."""
    for where, found in lint(assembly):
        if found.rule not in LIFECYCLE:
            yield f"{where}: cfn-lint {found.rule}: {found.message}"


def refused_descriptions(everything: Sequence[Resource]) -> Iterator[str]:
    """Descriptions that only EC2 refuses, in the middle of a deployment."""
    for resource in everything:
        if resource.type in DESCRIBED:
            for key, value in walk(resource.properties):
                described = key in ("Description", "GroupDescription") and isinstance(value, str)
                if described and not DESCRIPTION.fullmatch(value):
                    yield (
                        f"{resource}: EC2 refuses the description '{value}'; use letters, digits, "
                        "spaces and ._-:/()#,@[]+=&;{}!$*, and no apostrophe"
                    )


def acknowledgement_findings(
    acknowledged: Sequence[tuple[str, str, str]], report: Report
) -> Iterator[str]:
    """Acknowledgements that say nothing, answer nothing or cover more than they answer.

    Args:
        acknowledged: (construct path, rule, reason), of all profiles.
        report: The plugins' reports of all profiles.
    """
    answered: dict[tuple[str, str], set[str]] = {}
    for plugin in report:
        for suppressed in plugin["suppressedViolations"]:
            key = suppressed["acknowledgedAt"].lstrip("/"), suppressed["acknowledgedId"]
            answered.setdefault(key, set()).update(
                _where(construct) for construct in suppressed["violatingConstructs"]
            )
    for path, rule, reason in dict.fromkeys(acknowledged):
        if reason in BY_THE_CDK:
            continue
        if not _of_substance(reason):
            yield f"{path}: {rule} is acknowledged with '{reason}'; say why it does not apply here"
        found = answered.get((path, rule), set())
        if not found:
            yield f"{path}: {rule} is acknowledged but not found in any profile; delete that line"
        elif "/" not in (lowest := _lowest(found)):
            # It would hide whatever the stack gets later.
            yield f"{path}: {rule} is acknowledged for a whole stack; do it where each finding is"
        elif lowest != path and not _stands_for(path, lowest):
            yield f"{path}: {rule} is acknowledged too high; move it to {lowest}"


def _where(construct: dict[str, Any]) -> str:
    return str(construct["constructPath"]).strip("/")


def _of_substance(reason: str) -> bool:
    return len(reason.split()) >= 5 and not reason.upper().startswith(("TODO", "FIXME"))


def _lowest(paths: set[str]) -> str:
    """The deepest construct that has all of ``paths`` in it."""
    return os.path.commonpath(sorted(paths))


def _stands_for(path: str, lowest: str) -> bool:
    below = lowest.removeprefix(f"{path}/")
    return below != lowest and set(below.split("/")) <= OWN_CHILDREN


def test_nothing_is_found_that_is_not_acknowledged(assembly: Assembly) -> None:
    refuse(violations(assembly.validation))


def test_ec2_takes_every_description(assembly: Assembly) -> None:
    refuse(refused_descriptions(resources(assembly)))


@pytest.mark.parametrize("description", ["The image's registry", "Größe", "x" * 256])
def test_a_description_that_ec2_refuses_is_found(description: str) -> None:
    [rule] = refused_descriptions(
        [
            example("AWS::EC2::SecurityGroupEgress", Properties={"Description": description}),
            example("AWS::EC2::SecurityGroupEgress", Properties={"Description": "To S3 (443)"}),
        ]
    )
    assert f"EC2 refuses the description '{description}'" in rule

    [inline] = refused_descriptions(
        [
            example(
                "AWS::EC2::SecurityGroup",
                Properties={"SecurityGroupIngress": [{"Description": description}]},
            )
        ]
    )
    assert f"EC2 refuses the description '{description}'" in inline


def test_cfn_lint_finds_nothing(assembly: Assembly) -> None:
    refuse(lint_findings(assembly))


def test_every_acknowledgement_says_why_answers_a_finding_and_covers_no_more(
    sandbox: Assembly, production: Assembly
) -> None:
    both = (sandbox, production)
    refuse(
        acknowledgement_findings(
            [entry for assembly in both for entry in assembly.acknowledgements],
            [plugin for assembly in both for plugin in assembly.validation],
        )
    )


def test_both_packs_look_at_every_stack(assembly: Assembly) -> None:
    assert {"AwsSolutions", "Serverless"} <= {p["pluginName"] for p in assembly.validation}


def test_the_command_line_switches_no_validation_off() -> None:
    assert CONTEXT["@aws-cdk/core:validateAgainstDefaultRules"] is True
    assert CONTEXT["@aws-cdk/core:annotationsInValidationReport"] is True
    assert "@aws-cdk/core:failSynthOnValidationErrors" not in CONTEXT
    assert "validation" not in json.loads((ROOT / "cdk.json").read_text())


def test_a_queue_without_tls_and_an_impossible_timeout_stop_a_synth(tmp_path: Path) -> None:
    app = bad_app(tmp_path, CONTEXT)

    with pytest.raises(RuntimeError) as failure:
        app.synth()

    assert "AwsSolutions-SQS4" in str(failure.value)
    assert "CloudFormation-Validate" in str(failure.value)


def test_violations_of_every_kind_of_plugin_are_read_from_the_report(tmp_path: Path) -> None:
    # Under this flag the findings are written down instead of raised, as in tests/assembly.py.
    app = bad_app(tmp_path, {**CONTEXT, "@aws-cdk/core:failSynthOnValidationErrors": False})
    app.synth()

    found = "\n".join(violations(Assembly(tmp_path).validation))

    assert (
        "shop/Orders/Resource: AwsSolutions::AwsSolutions-SQS4: The SQS queue does not require "
        "requests to use SSL. Put it right, or acknowledge 'AwsSolutions::AwsSolutions-SQS4' there "
        "with the reason." in found
    )
    assert "shop/Orders/Resource: Serverless::Serverless-SQSRedrivePolicy: " in found
    assert "shop/Slow: CloudFormation-Validate::F3034: VisibilityTimeout: 99999 is " in found
    assert "shop: Construct-Annotations::Annotation::blueprints:shop: Closed. " in found


def bad_app(outdir: Path, context: dict[str, Any]) -> cdk.App:
    app = cdk.App(analytics_reporting=False, context=context, outdir=str(outdir))
    stack = cdk.Stack(app, "shop")
    sqs.Queue(stack, "Orders")
    sqs.CfnQueue(stack, "Slow", visibility_timeout=99_999)
    cdk.Annotations.of(stack).add_warning_v2("blueprints:shop", "Closed.")
    add_packs(app)
    return app


def suppressed(rule: str, *paths: str, at: str) -> Report:
    return [
        {
            "pluginName": rule.split("::")[0],
            "violations": [],
            "suppressedViolations": [
                {
                    "acknowledgedAt": at,
                    "acknowledgedId": rule,
                    "violatingConstructs": [{"constructPath": path}],
                }
                for path in paths
            ],
        }
    ]


REASON = "Read by hand: no consumer could fail."


@pytest.mark.parametrize(
    ("at", "found", "lowest"),
    [
        ("shop/Orders", ["shop/Orders/Resource"], None),
        ("shop/Role", ["shop/Role/DefaultPolicy/Resource"], None),
        ("shop/Orders", ["shop/Orders/A/Resource", "shop/Orders/B/Resource"], None),
        ("shop", ["shop/Orders/Resource"], "shop/Orders/Resource"),
        ("shop/Function", ["shop/Function/Role/Resource"], "shop/Function/Role/Resource"),
        ("shop", ["shop/A/B/Resource", "shop/A/C/Resource"], "shop/A"),
    ],
)
def test_an_acknowledgement_sits_at_the_lowest_construct(
    at: str, found: list[str], lowest: str | None
) -> None:
    findings = list(
        acknowledgement_findings([(at, "P::R", REASON)], suppressed("P::R", *found, at=at))
    )

    assert findings == (
        [f"{at}: P::R is acknowledged too high; move it to {lowest}"] if lowest else []
    )


def test_no_acknowledgement_covers_a_stack() -> None:
    report = suppressed("P::R", "shop/Orders/Resource", "shop/Returns/Resource", at="shop")

    assert list(acknowledgement_findings([("shop", "P::R", REASON)], report)) == [
        "shop: P::R is acknowledged for a whole stack; do it where each finding is"
    ]


def test_an_acknowledgement_that_answers_nothing_is_stale() -> None:
    other = suppressed("P::Other", "shop/Orders/Resource", at="shop/Orders")

    assert list(acknowledgement_findings([("shop/Orders", "P::R", REASON)], other)) == [
        "shop/Orders: P::R is acknowledged but not found in any profile; delete that line"
    ]


@pytest.mark.parametrize("reason", ["", "not needed", "TODO find out why this is here at all"])
def test_an_acknowledgement_needs_a_reason(reason: str) -> None:
    report = suppressed("P::R", "shop/Orders/Resource", at="shop/Orders")

    assert list(acknowledgement_findings([("shop/Orders", "P::R", reason)], report)) == [
        f"shop/Orders: P::R is acknowledged with '{reason}'; say why it does not apply here"
    ]


def test_cfn_lint_finds_what_the_built_in_validation_does_not(tmp_path: Path) -> None:
    data = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "Not_A_Name"}}
    (tmp_path / "shop.template.json").write_text(json.dumps({"Resources": {"Data": data}}))

    assert "shop/Data (AWS::S3::Bucket): cfn-lint E3031: 'Not_A_Name' does not match" in "\n".join(
        lint_findings(Assembly(tmp_path))
    )
