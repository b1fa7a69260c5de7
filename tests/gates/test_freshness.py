"""Nothing is past its end of support, or will be within half a year.

The dates are those cfn-lint ships, so this gate turns red by itself: renew the lock, then the code.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from importlib import resources as files
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecs as ecs

from tests.assembly import Assembly
from tests.gates.findings import refuse
from tests.gates.linting import LIFECYCLE, lint
from tests.gates.policies import text
from tests.gates.resources import Resource, example, listed, resources

NOTICE = timedelta(days=180)
RUNTIMES: dict[str, dict[str, str]] = json.loads(
    files.files("cfnlint.data.AdditionalSpecs")
    .joinpath("LmbdRuntimeLifecycle.json")
    .read_text(encoding="utf-8")
)
RUNTIME_OF = {
    "AWS::Lambda::Function": "Runtime",
    "AWS::Lambda::LayerVersion": "CompatibleRuntimes",
    "AWS::Serverless::Function": "Runtime",
}
# Beanstalk retires a branch with the first of its components to end:
# https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/platforms-support-policy.html
# Amazon Linux 2023 does so before Python 3.14:
# https://docs.aws.amazon.com/linux/al2023/ug/release-cadence.html
PLATFORM_BRANCHES = {"Python 3.14 running on 64bit Amazon Linux 2023": date(2029, 6, 30)}
# When standard support ends, and six times the price begins:
# https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html
KUBERNETES_VERSIONS = {"1.36": date(2027, 8, 2)}


def ageing_runtimes(everything: Sequence[Resource], today: date) -> Iterator[str]:
    """Lambda runtimes that AWS deprecates soon, has deprecated or never had."""
    for resource in everything:
        for runtime in listed(resource.properties.get(RUNTIME_OF.get(resource.type, ""), [])):
            if runtime not in RUNTIMES:
                yield f"{resource}: cfn-lint knows no runtime '{runtime}'; take one that it knows"
                continue
            ends = date.fromisoformat(RUNTIMES[runtime]["deprecated"])
            if ends <= today + NOTICE:
                tense = "was" if ends <= today else "will be"
                successor = RUNTIMES[runtime].get("successor") or "a newer one"
                yield f"{resource}: {runtime} {tense} deprecated on {ends}; take {successor}"


def ageing_platforms(everything: Sequence[Resource], today: date) -> Iterator[str]:
    """Beanstalk environments whose platform ends soon, has ended or is fixed to one version."""
    for resource in everything:
        if resource.type == "AWS::ElasticBeanstalk::Environment":
            given = resource.properties
            platform = text(given.get("PlatformArn", given.get("SolutionStackName")))
            branch = platform.rpartition(":platform/")[2]
            if branch not in PLATFORM_BRANCHES:
                yield (
                    f"{resource}: no branch of platforms is named '{branch}'; name one without a "
                    "version, which AWS withdraws, and say in PLATFORM_BRANCHES when it ends"
                )
            elif PLATFORM_BRANCHES[branch] <= today + NOTICE:
                yield f"{resource}: {branch} ends on {PLATFORM_BRANCHES[branch]}; take a newer one"


def ageing_clusters(everything: Sequence[Resource], today: date) -> Iterator[str]:
    """EKS clusters of a Kubernetes version that leaves standard support soon, or has left it."""
    for resource in everything:
        if resource.type == "AWS::EKS::Cluster":
            version = resource.properties.get("Version")
            if version not in KUBERNETES_VERSIONS:
                yield (
                    f"{resource}: nobody says how long Kubernetes {version} is supported; take "
                    "another, or give its end in KUBERNETES_VERSIONS"
                )
            elif KUBERNETES_VERSIONS[version] <= today + NOTICE:
                ends = KUBERNETES_VERSIONS[version]
                yield f"{resource}: standard support of Kubernetes {version} ends on {ends}"


def ended(assembly: Assembly) -> Iterator[str]:
    """Engine versions that cannot be created any more, and services that end or have ended."""
    for where, found in lint(assembly):
        if found.rule in LIFECYCLE:
            yield f"{where}: {found.message}"


def test_no_runtime_ends_within_half_a_year(assembly: Assembly) -> None:
    refuse(ageing_runtimes(resources(assembly), date.today()))


def test_no_platform_ends_within_half_a_year(assembly: Assembly) -> None:
    refuse(ageing_platforms(resources(assembly), date.today()))


def test_no_kubernetes_version_leaves_standard_support_within_half_a_year(
    assembly: Assembly,
) -> None:
    refuse(ageing_clusters(resources(assembly), date.today()))


def test_no_engine_version_and_no_service_is_at_its_end(assembly: Assembly) -> None:
    refuse(ended(assembly))


@pytest.mark.parametrize(
    ("today", "finding"),
    [
        (date(2026, 12, 31), None),
        (date(2027, 1, 1), "nodejs24.x will be deprecated on 2027-06-30; take nodejs26.x"),
        (date(2027, 6, 30), "nodejs24.x was deprecated on 2027-06-30; take nodejs26.x"),
    ],
)
def test_a_runtime_is_found_half_a_year_before_its_end(
    today: date, finding: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = {"deprecated": "2027-06-30", "successor": "nodejs26.x"}
    monkeypatch.setitem(RUNTIMES, "nodejs24.x", life)
    function = example("AWS::Lambda::Function", Runtime="nodejs24.x")

    assert list(ageing_runtimes([function], today)) == (
        [f"shop/Thing (AWS::Lambda::Function): {finding}"] if finding else []
    )


def test_a_layer_for_a_runtime_that_nobody_knows_is_found() -> None:
    layer = example("AWS::Lambda::LayerVersion", CompatibleRuntimes=["python3.14", "python2"])

    assert list(ageing_runtimes([layer], date(2026, 11, 23))) == [
        "shop/Thing (AWS::Lambda::LayerVersion): cfn-lint knows no runtime 'python2'; "
        "take one that it knows"
    ]


@pytest.mark.parametrize(
    ("version", "today", "finding"),
    [
        ("1.36", "2027-02-02", None),
        ("1.36", "2027-02-03", "standard support of Kubernetes 1.36 ends on 2027-08-02"),
        (
            "1.32",
            "2026-11-23",
            "nobody says how long Kubernetes 1.32 is supported; take another, or give its end in "
            "KUBERNETES_VERSIONS",
        ),
    ],
)
def test_a_kubernetes_version_is_found_half_a_year_before_its_support_ends(
    version: str, today: str, finding: str | None
) -> None:
    cluster = example("AWS::EKS::Cluster", Version=version)

    assert list(ageing_clusters([cluster], date.fromisoformat(today))) == (
        [f"{cluster}: {finding}"] if finding else []
    )


PYTHON = "Python 3.14 running on 64bit Amazon Linux 2023"


@pytest.mark.parametrize(
    ("properties", "today", "finding"),
    [
        ({"PlatformArn": f"arn:aws:elasticbeanstalk:x::platform/{PYTHON}"}, "2028-12-31", None),
        (
            {"PlatformArn": f"arn:aws:elasticbeanstalk:x::platform/{PYTHON}"},
            "2029-01-01",
            f"{PYTHON} ends on 2029-06-30; take a newer one",
        ),
        (
            {"PlatformArn": f"arn:aws:elasticbeanstalk:x::platform/{PYTHON}/4.13.7"},
            "2026-11-23",
            f"no branch of platforms is named '{PYTHON}/4.13.7'; name one without a version, "
            "which AWS withdraws, and say in PLATFORM_BRANCHES when it ends",
        ),
        (
            {"SolutionStackName": "64bit Amazon Linux 2023 v4.13.7 running Python 3.14"},
            "2026-11-23",
            "no branch of platforms is named '64bit Amazon Linux 2023 v4.13.7 running Python "
            "3.14'; name one without a version, which AWS withdraws, and say in PLATFORM_BRANCHES "
            "when it ends",
        ),
    ],
    ids=["fresh", "ends", "version", "solution stack"],
)
def test_a_platform_is_a_branch_that_has_half_a_year_to_go(
    properties: dict[str, Any], today: str, finding: str | None
) -> None:
    environment = example("AWS::ElasticBeanstalk::Environment", **properties)

    assert list(ageing_platforms([environment], date.fromisoformat(today))) == (
        [f"{environment}: {finding}"] if finding else []
    )


@pytest.mark.parametrize(
    ("resource_type", "properties", "message"),
    [
        (
            "AWS::RDS::DBInstance",
            {"Engine": "postgres", "EngineVersion": "11.1", "DBInstanceClass": "db.t4g.micro"},
            "Engine version '11.1' for engine 'postgres' is deprecated",
        ),
        (
            "AWS::AutoScaling::LaunchConfiguration",
            {"ImageId": "ami-12345678", "InstanceType": "t3.nano"},
            "is from a service in maintenance mode since 2024-10-01",
        ),
        ("AWS::AppMesh::Mesh", {}, "is from a service that will be shut down on 2026-09-30"),
        (
            "AWS::QLDB::Ledger",
            {"PermissionsMode": "STANDARD"},
            "is from a service that was shut down on 2025-07-31",
        ),
    ],
    ids=["engine", "maintenance", "sunset", "shut down"],
)
def test_what_ends_or_has_ended_is_found(
    tmp_path: Path, resource_type: str, properties: dict[str, Any], message: str
) -> None:
    thing = {"Type": resource_type, "Properties": properties}
    (tmp_path / "shop.template.json").write_text(json.dumps({"Resources": {"Thing": thing}}))

    [finding] = ended(Assembly(tmp_path))

    assert finding.startswith(f"shop/Thing ({resource_type}): ")
    assert message in finding


def test_a_deprecated_api_of_the_cdk_raises_in_tests() -> None:
    # Because of JSII_DEPRECATED, which conftest.py sets before jsii starts.
    stack = cdk.Stack(cdk.App(), "shop")

    with pytest.raises(RuntimeError, match=r"containerInsights.* is deprecated"):
        ecs.Cluster(stack, "Old", container_insights=True)
