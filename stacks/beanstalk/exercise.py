"""See deployments work: ``make rehearse BLUEPRINT=beanstalk``, or ``make exercise`` once on AWS.

On AWS it makes one more environment, load balanced, for as long as five deployments take: about
an hour, for a few cents. It puts back what it changes about the blueprint's own environments.
"""

import contextlib
import importlib.util
import io
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from rehearsal.fixtures import Client, Eventually, Fetch

Outputs = dict[str, str]
# A deployment takes minutes, an environment with its load balancer up to ten.
PATIENCE = {"Delay": 20, "MaxAttempts": 90}
COMMAND = "aws:elasticbeanstalk:command"
# On top of the blueprint's own options, for the environment that the exercise makes.
BALANCED = {
    ("aws:elasticbeanstalk:environment", "EnvironmentType"): "LoadBalanced",
    ("aws:elasticbeanstalk:environment", "LoadBalancerType"): "application",
    ("aws:autoscaling:asg", "MinSize"): "2",
    ("aws:autoscaling:asg", "MaxSize"): "4",
    (COMMAND, "BatchSizeType"): "Fixed",
    (COMMAND, "BatchSize"): "1",
    ("aws:elasticbeanstalk:trafficsplitting", "NewVersionPercent"): "10",
    ("aws:elasticbeanstalk:trafficsplitting", "EvaluationTime"): "3",
}
# What that environment takes over from blue.
ALIKE = {
    "AssociatePublicIpAddress",
    "DisableDefaultEC2SecurityGroup",
    "DisableIMDSv1",
    "ELBSubnets",
    "IamInstanceProfile",
    "InstanceTypes",
    "ManagedSecurityGroup",
    "RootVolumeType",
    "SecurityGroups",
    "ServiceRole",
    "Subnets",
    "SupportedArchitectures",
    "SystemType",
    "VPCId",
}


@dataclass(frozen=True)
class Moment:
    """What was to be seen of an environment at one time.

    Attributes:
        groups: The Auto Scaling groups that carry its name.
        instances: Its instances, by id: whether each is being deployed to.
        in_service: The instances that the load balancer sends requests to.
    """

    groups: frozenset[str]
    instances: dict[str, bool]
    in_service: frozenset[str]


@dataclass(frozen=True)
class Deployment:
    """What was to be seen while a version was deployed.

    Attributes:
        moments: From before the beginning to after the end.
        answers: What a visitor was answered, request after request; None for an error.
    """

    moments: list[Moment]
    answers: list[str | None]

    @property
    def before(self) -> Moment:
        """The environment with the old version."""
        return self.moments[0]

    @property
    def after(self) -> Moment:
        """The environment with the new version."""
        return self.moments[-1]


class Environment:
    """A deployed environment, by name."""

    def __init__(self, client: Client, fetch: Fetch, name: str) -> None:
        """Take hold of the environment called ``name``."""
        self.beanstalk, self.name = client("elasticbeanstalk"), name
        self._client, self._fetch = client, fetch

    def describe(self) -> dict[str, Any]:
        """What Beanstalk says of it."""
        [found] = self.beanstalk.describe_environments(
            EnvironmentNames=[self.name], IncludeDeleted=False
        )["Environments"]
        described: dict[str, Any] = found
        return described

    def resources(self) -> dict[str, list[dict[str, str]]]:
        """What Beanstalk has made for it, by kind."""
        made: dict[str, Any] = self.beanstalk.describe_environment_resources(
            EnvironmentName=self.name
        )["EnvironmentResources"]
        return made

    def options(self) -> dict[tuple[str, str], str]:
        """The value of every option, by namespace and name."""
        [settings] = self.beanstalk.describe_configuration_settings(
            ApplicationName=self.describe()["ApplicationName"], EnvironmentName=self.name
        )["ConfigurationSettings"]
        return {
            (option["Namespace"], option["OptionName"]): option["Value"]
            for option in settings["OptionSettings"]
            if "Value" in option
        }

    def update(self, **change: Any) -> None:
        """Change it, and wait until that is done."""
        self.beanstalk.update_environment(EnvironmentName=self.name, **change)
        self.beanstalk.get_waiter("environment_updated").wait(
            EnvironmentNames=[self.name], WaiterConfig=PATIENCE
        )

    def deploy(self, label: str) -> None:
        """Deploy a version, and wait until it is there."""
        self.update(VersionLabel=label)
        assert self.describe()["VersionLabel"] == label, "the deployment was rolled back"

    def deploy_by(self, policy: str, label: str) -> Deployment:
        """Deploy a version by a policy, and look on."""
        self.update(OptionSettings=settings({(COMMAND, "DeploymentPolicy"): policy}))
        moments = [self.look()]
        with self.visited() as answers:
            deployment = threading.Thread(target=self.deploy, args=[label])
            deployment.start()
            while deployment.is_alive():
                moments.append(self.look())
                time.sleep(5)
        moments.append(self.look())
        assert self.describe()["VersionLabel"] == label, "the deployment was rolled back"
        return Deployment(moments, answers)

    def look(self) -> Moment:
        """See what there is to see now."""
        health = self.beanstalk.describe_instances_health(
            EnvironmentName=self.name, AttributeNames=["Deployment"]
        )["InstanceHealthList"]
        groups = self._client("autoscaling").describe_auto_scaling_groups(
            Filters=[{"Name": "tag:elasticbeanstalk:environment-name", "Values": [self.name]}]
        )["AutoScalingGroups"]
        return Moment(
            frozenset(group["AutoScalingGroupName"] for group in groups),
            {
                each["InstanceId"]: each.get("Deployment", {}).get("Status") == "In Progress"
                for each in health
            },
            frozenset(self._targets()),
        )

    @contextlib.contextmanager
    def visited(self) -> Iterator[list[str | None]]:
        """Meanwhile somebody visits it, five times a second."""
        answers: list[str | None] = []
        url, left = f"http://{self.describe()['CNAME']}/", threading.Event()

        def visit() -> None:
            while not left.wait(0.2):
                answers.append(body(self._fetch, url))

        visitor = threading.Thread(target=visit)
        visitor.start()
        try:
            yield answers
        finally:
            left.set()
            visitor.join()

    def _targets(self) -> Iterator[str]:
        elb = self._client("elbv2")
        for balancer in self.resources()["LoadBalancers"]:
            groups = elb.describe_target_groups(LoadBalancerArn=balancer["Name"])["TargetGroups"]
            for group in groups:
                for target in elb.describe_target_health(TargetGroupArn=group["TargetGroupArn"])[
                    "TargetHealthDescriptions"
                ]:
                    if target["TargetHealth"]["State"] == "healthy":
                        yield target["Target"]["Id"]


def settings(options: dict[tuple[str, str], str]) -> list[dict[str, str]]:
    """Options as Beanstalk's API wants them."""
    return [
        {"Namespace": namespace, "OptionName": name, "Value": value}
        for (namespace, name), value in options.items()
    ]


def versions(beanstalk: Any, application: str) -> set[str]:
    """The labels of the versions that there are."""
    answer = beanstalk.describe_application_versions(ApplicationName=application)
    return {version["VersionLabel"] for version in answer["ApplicationVersions"]}


def body(fetch: Fetch, url: str) -> str | None:
    """What a URL answers; None for an error or no answer."""
    with contextlib.suppress(OSError):
        answer = fetch(url)
        return answer.body if answer.status == 200 else None
    return None


def zipped(files: dict[str, bytes]) -> bytes:
    """A source bundle of files, by name."""
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return bundle.getvalue()


@pytest.fixture(scope="module")
def files(client: Client, outputs: Outputs) -> dict[str, bytes]:
    """What is in the source bundle of the version that was deployed, by name."""
    bundle = client("s3").get_object(Bucket=outputs["BundleBucket"], Key=outputs["BundleKey"])
    with zipfile.ZipFile(io.BytesIO(bundle["Body"].read())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def blue(client: Client, fetch: Fetch, outputs: Outputs) -> Environment:
    """The environment that was made blue."""
    return Environment(client, fetch, outputs["BlueName"])


@pytest.fixture(scope="module")
def green(client: Client, fetch: Fetch, outputs: Outputs) -> Environment:
    """The environment that was made green."""
    return Environment(client, fetch, outputs["GreenName"])


@pytest.fixture(scope="module")
def new_version(
    client: Client, outputs: Outputs, files: dict[str, bytes]
) -> Iterator[Callable[[], str]]:
    """Make one more version of the application, which answers with its label."""
    beanstalk, application = client("elasticbeanstalk"), outputs["ApplicationName"]
    labels: list[str] = []

    def make() -> str:
        label = f"exercise-{uuid4().hex[:8]}"
        source = {
            "S3Bucket": beanstalk.create_storage_location()["S3Bucket"],
            "S3Key": f"{application}/{label}.zip",
        }
        client("s3").put_object(
            Bucket=source["S3Bucket"],
            Key=source["S3Key"],
            Body=zipped({**files, "VERSION": label.encode()}),
        )
        beanstalk.create_application_version(
            ApplicationName=application, VersionLabel=label, SourceBundle=source
        )
        labels.append(label)
        return label

    yield make
    # The lifecycle policy may have deleted some.
    for label in versions(beanstalk, application) & set(labels):
        beanstalk.delete_application_version(
            ApplicationName=application, VersionLabel=label, DeleteSourceBundle=True
        )


@pytest.fixture(scope="module")
def balanced(
    client: Client, fetch: Fetch, blue: Environment, new_version: Callable[[], str]
) -> Iterator[Environment]:
    """Another environment like blue, but of two instances behind a load balancer."""
    alike = {key: value for key, value in blue.options().items() if key[1] in ALIKE}
    alike.setdefault(("aws:ec2:vpc", "ELBSubnets"), alike["aws:ec2:vpc", "Subnets"])
    described = blue.describe()
    beanstalk, name = blue.beanstalk, f"exercise-{uuid4().hex[:8]}"
    beanstalk.create_environment(
        EnvironmentName=name,
        ApplicationName=described["ApplicationName"],
        VersionLabel=described["VersionLabel"],
        PlatformArn=described["PlatformArn"],
        OptionSettings=settings({**alike, **BALANCED}),
    )
    try:
        beanstalk.get_waiter("environment_exists").wait(
            EnvironmentNames=[name], WaiterConfig=PATIENCE
        )
        yield Environment(client, fetch, name)
    finally:
        beanstalk.terminate_environment(EnvironmentName=name)
        beanstalk.get_waiter("environment_terminated").wait(
            EnvironmentNames=[name], WaiterConfig=PATIENCE
        )


def test_the_bundle_that_was_deployed_answers_with_its_version(
    files: dict[str, bytes], tmp_path: Path
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    spec = importlib.util.spec_from_file_location("bundle", tmp_path / "application.py")
    assert spec
    assert spec.loader
    bundle = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bundle)

    started: list[Any] = []
    answer = bundle.application({"REQUEST_METHOD": "GET"}, lambda *args: started.extend(args))

    assert started[0] == "200 OK"
    assert b"".join(answer) == b"version " + files["VERSION"].strip()


def test_instances_are_of_a_role_that_reaches_no_bucket_but_beanstalks(
    client: Client, outputs: Outputs
) -> None:
    iam, role = client("iam"), outputs["InstanceRoleName"]
    assert iam.list_instance_profiles_for_role(RoleName=role)["InstanceProfiles"]
    arn = iam.get_role(RoleName=role)["Role"]["Arn"]
    account, region = arn.split(":")[4], client("s3").meta.region_name
    own = f"arn:aws:s3:::elasticbeanstalk-{region}-{account}/bundle.zip"
    other = f"arn:aws:s3:::{outputs['BundleBucket']}/bundle.zip"

    def decision(action: str, resource: str) -> str:
        [evaluated] = iam.simulate_principal_policy(
            PolicySourceArn=arn, ActionNames=[action], ResourceArns=[resource]
        )["EvaluationResults"]
        return str(evaluated["EvalDecision"])

    assert decision("s3:GetObject", own) == "allowed"
    assert decision("s3:DeleteObject", own) == "implicitDeny"
    assert decision("s3:GetObject", other) == "implicitDeny"


def test_instances_take_nothing_but_http_and_ask_over_https_only(
    client: Client, outputs: Outputs
) -> None:
    [group] = client("ec2").describe_security_groups(GroupIds=[outputs["InstancesGroupId"]])[
        "SecurityGroups"
    ]

    def ports(direction: str) -> list[tuple[int, int]]:
        return [(rule["FromPort"], rule["ToPort"]) for rule in group[direction]]

    assert ports("IpPermissions") == [(80, 80)]
    assert ports("IpPermissionsEgress") == [(443, 443)]


@pytest.mark.aws_only
@pytest.mark.concept("beanstalk.managed-stack")
def test_beanstalk_makes_groups_and_instances_that_nobody_declared(
    client: Client, blue: Environment
) -> None:
    made = blue.resources()
    [group] = made["AutoScalingGroups"]
    assert made["Instances"]
    balanced = blue.options()["aws:elasticbeanstalk:environment", "EnvironmentType"]
    assert bool(made["LoadBalancers"]) is (balanced == "LoadBalanced")

    owner = client("cloudformation").describe_stack_resources(PhysicalResourceId=group["Name"])
    assert {resource["StackName"] for resource in owner["StackResources"]} == {
        f"awseb-{blue.describe()['EnvironmentId']}-stack"
    }


@pytest.mark.aws_only
@pytest.mark.concept("beanstalk.deploy-all-at-once")
def test_all_at_once_updates_every_instance_together_and_visitors_notice(
    balanced: Environment, new_version: Callable[[], str]
) -> None:
    seen = balanced.deploy_by("AllAtOnce", new_version())

    assert seen.after.instances.keys() == seen.before.instances.keys()
    assert any(all(moment.instances.values()) for moment in seen.moments)
    assert None in seen.answers


@pytest.mark.aws_only
@pytest.mark.concept("beanstalk.deploy-rolling")
def test_rolling_updates_one_after_the_other_with_less_capacity_meanwhile(
    balanced: Environment, new_version: Callable[[], str]
) -> None:
    label = new_version()
    seen = balanced.deploy_by("Rolling", label)

    assert seen.after.instances.keys() == seen.before.instances.keys()
    assert not any(all(moment.instances.values()) for moment in seen.moments)
    assert min(len(moment.in_service) for moment in seen.moments) < len(seen.before.in_service)
    assert len({*seen.answers} - {None}) == 2, "both versions answered"
    assert seen.answers[-1] == f"version {label}"


@pytest.mark.aws_only
@pytest.mark.concept("beanstalk.deploy-rolling-with-additional-batch")
def test_an_additional_batch_keeps_the_capacity(
    balanced: Environment, new_version: Callable[[], str]
) -> None:
    seen = balanced.deploy_by("RollingWithAdditionalBatch", new_version())

    assert max(len(moment.instances) for moment in seen.moments) > len(seen.before.instances)
    assert min(len(moment.in_service) for moment in seen.moments) >= len(seen.before.in_service)
    assert len(seen.after.instances) == len(seen.before.instances)
    assert len(seen.before.groups) == 1
    assert {moment.groups for moment in seen.moments} == {seen.before.groups}


@pytest.mark.aws_only
@pytest.mark.concept("beanstalk.deploy-immutable")
def test_immutable_starts_new_instances_in_a_second_group_and_moves_them_over(
    balanced: Environment, new_version: Callable[[], str]
) -> None:
    seen = balanced.deploy_by("Immutable", new_version())

    assert max(len(moment.groups) for moment in seen.moments) == 2
    assert seen.after.groups == seen.before.groups
    assert not seen.after.instances.keys() & seen.before.instances.keys()


@pytest.mark.aws_only
@pytest.mark.concept("beanstalk.deploy-traffic-splitting")
def test_traffic_splitting_gives_new_instances_a_few_requests_first(
    balanced: Environment, new_version: Callable[[], str]
) -> None:
    label = new_version()
    seen = balanced.deploy_by("TrafficSplitting", label)

    assert not seen.after.instances.keys() & seen.before.instances.keys()
    new = [answer == f"version {label}" for answer in seen.answers if answer]
    last_old = len(new) - new[::-1].index(False)
    side_by_side = new[new.index(True) : last_old]
    assert 0 < sum(side_by_side) < len(side_by_side) / 2
    assert new[-1]


@pytest.mark.aws_only
@pytest.mark.concept("beanstalk.deploy-blue-green")
def test_blues_url_serves_the_new_version_after_a_swap_and_the_old_one_after_another(
    blue: Environment,
    green: Environment,
    new_version: Callable[[], str],
    outputs: Outputs,
    fetch: Fetch,
    eventually: Eventually,
) -> None:
    def swap() -> None:
        blue.beanstalk.swap_environment_cnames(
            SourceEnvironmentName=blue.name, DestinationEnvironmentName=green.name
        )
        for environment in (blue, green):
            environment.beanstalk.get_waiter("environment_updated").wait(
                EnvironmentNames=[environment.name], WaiterConfig=PATIENCE
            )

    def live() -> str | None:
        return body(fetch, outputs["BlueUrl"])

    old, label = green.describe()["VersionLabel"], new_version()
    before = live()
    with contextlib.ExitStack() as undo:
        undo.callback(green.deploy, old)
        green.deploy(label)
        assert live() == before

        swap()
        undo.callback(eventually, lambda: live() == before, within=300)
        undo.callback(swap)
        # Resolvers remember the old address for a minute.
        eventually(lambda: live() == f"version {label}", within=300)


@pytest.mark.aws_only
@pytest.mark.concept("beanstalk.version-lifecycle")
def test_a_fifth_version_makes_the_first_one_go_but_not_the_one_that_runs(
    blue: Environment, new_version: Callable[[], str], eventually: Eventually
) -> None:
    first, *_, last = (new_version() for _ in range(5))
    described = blue.describe()

    def kept() -> set[str]:
        return versions(blue.beanstalk, described["ApplicationName"])

    eventually(lambda: first not in kept(), within=120)
    assert {last, described["VersionLabel"]} <= kept()
