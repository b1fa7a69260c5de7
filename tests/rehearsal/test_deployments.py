"""What the CDK CLI and the emulator make of stacks that come, change, fail and go."""

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from rehearsal.cloudformation import deployed_stacks
from rehearsal.environment import rehearsal_environment
from rehearsal.processes import Child
from rehearsal.run import only_environment
from tests.rehearsal.conftest import Cloud, Project, Template


def queue(visibility_timeout: int, **more: Template) -> Template:
    properties = {"QueueName": "orders", "VisibilityTimeout": visibility_timeout}
    return {"Resources": {"Orders": {"Type": "AWS::SQS::Queue", "Properties": properties}, **more}}


@pytest.fixture
def cli(cloud: Cloud, project: Project) -> Iterator["Cli"]:
    """The CDK CLI at work on a stack that is destroyed in the end."""
    with only_environment(
        rehearsal_environment(cloud.workshop.directory / "home", cloud.emulator.endpoint)
    ):
        yield Cli(cloud, project)
    cloud.delete("tiny-orders")


class Cli:
    """Deploys a template as the stack ``orders`` with the real CDK CLI."""

    def __init__(self, cloud: Cloud, project: Project) -> None:
        self.cloud, self.project = cloud, project

    def deploy(self, template: Template, **others: Template) -> Child:
        assembly = self.cloud.toolkit.assembly
        assembly.mkdir(exist_ok=True)
        self.project.compose(orders=template, **others)
        self.project.synthesize(assembly)
        return self._attend(self.cloud.toolkit.deploy(["orders"]))

    def destroy(self) -> Child:
        return self._attend(self.cloud.toolkit.destroy(["orders"]))

    def _attend(self, child: Child) -> Child:
        self.cloud.emulator.attend(child)
        return child

    def events(self) -> int:
        client = self.cloud.client("cloudformation")
        return len(client.describe_stack_events(StackName="tiny-orders")["StackEvents"])

    def visibility_timeout(self) -> str:
        sqs = self.cloud.client("sqs")
        url = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return str(attributes["VisibilityTimeout"])


def test_deploying_the_same_again_changes_nothing_and_a_change_updates(cli: Cli) -> None:
    assert cli.deploy(queue(40)).succeeded
    events = cli.events()
    again = cli.deploy(queue(40))
    assert "(no changes)" in again.output
    assert (again.succeeded, cli.events(), cli.visibility_timeout()) == (True, events, "40")

    assert cli.deploy(queue(50)).succeeded
    assert cli.visibility_timeout() == "50"
    assert deployed_stacks()["tiny-orders"].status == "UPDATE_COMPLETE"


def test_a_stack_is_destroyed_without_asking_for_those_that_could_depend_on_it(cli: Cli) -> None:
    dependent = {"Metadata": {"Dependencies": ["orders"]}, **queue(40)}
    assert cli.deploy(queue(40), invoices=dependent).succeeded

    destruction = cli.destroy()
    assert destruction.succeeded
    assert "orders" in destruction.output
    assert "invoices" not in destruction.output
    assert "tiny-orders" not in deployed_stacks()


def test_an_update_that_fails_is_rolled_back_and_explained(cli: Cli) -> None:
    assert cli.deploy(queue(40)).succeeded
    broken = queue(50, Bad={"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": 9999}})
    failed = cli.deploy(broken)

    assert not failed.succeeded
    stack = deployed_stacks()["tiny-orders"]
    assert (stack.status, stack.complete) == ("UPDATE_ROLLBACK_COMPLETE", False)
    [reason] = stack.failures()
    assert reason.startswith("stack tiny-orders: AWS::SQS::Queue Bad (")
    assert "DelaySeconds" in reason
    assert cli.visibility_timeout() == "40"


def test_an_export_in_use_is_refused(cloud: Cloud) -> None:
    cloudformation = cloud.client("cloudformation")
    producer = {
        **queue(40),
        "Outputs": {"Orders": {"Value": {"Ref": "Orders"}, "Export": {"Name": "orders-url"}}},
    }
    consumer = {
        "Resources": {
            "Copy": {
                "Type": "AWS::SSM::Parameter",
                "Properties": {"Type": "String", "Value": {"Fn::ImportValue": "orders-url"}},
            }
        }
    }
    cloud.create("producer", producer)
    cloud.create("consumer", consumer)
    with pytest.raises(ClientError, match="orders-url is imported by stack consumer"):
        cloudformation.delete_stack(StackName="producer")
    for name in ("consumer", "producer"):
        cloud.delete(name)
