"""What CloudFormation knows of the stacks that the CDK CLI deployed."""

from dataclasses import dataclass
from typing import Any

import boto3

BOOTSTRAP_STACK = "CDKToolkit"


@dataclass(frozen=True)
class DeployedStack:
    """A stack that exists, in whatever state."""

    name: str
    status: str

    @property
    def complete(self) -> bool:
        """Whether its last deployment succeeded."""
        return self.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE")

    def resource_types(self) -> list[str]:
        """The type of each of its resources."""
        paginator = _cloudformation().get_paginator("list_stack_resources")
        pages = paginator.paginate(StackName=self.name)
        return list(pages.search("StackResourceSummaries[].ResourceType"))

    def seconds(self) -> float:
        """How long it took from its first event to its last."""
        times = [event["Timestamp"] for event in self._events()]
        return float((max(times) - min(times)).total_seconds())

    def failures(self) -> list[str]:
        """Each resource that failed, and why, oldest first."""
        told = []
        for event in reversed(self._events()):
            reason = event.get("ResourceStatusReason", "")
            if reason and event["ResourceStatus"].endswith("_FAILED"):
                told.append(
                    f"stack {self.name}: {event['ResourceType']} {event['LogicalResourceId']} "
                    f"({event['ResourceStatus']}): {reason}"
                )
        return list(dict.fromkeys(told))

    def _events(self) -> list[dict[str, Any]]:
        """Newest first, as CloudFormation gives them."""
        paginator = _cloudformation().get_paginator("describe_stack_events")
        return list(paginator.paginate(StackName=self.name).search("StackEvents[]"))


def deployed_stacks() -> dict[str, DeployedStack]:
    """The stacks there are, by name, without the one of ``cdk bootstrap``."""
    pages = _cloudformation().get_paginator("describe_stacks").paginate()
    return {
        stack["StackName"]: DeployedStack(stack["StackName"], stack["StackStatus"])
        for stack in pages.search("Stacks[]")
        if stack["StackName"] != BOOTSTRAP_STACK
    }


def _cloudformation() -> Any:
    # boto3's own session would remember the credentials that it saw first.
    return boto3.session.Session().client("cloudformation")
