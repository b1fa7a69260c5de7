"""ECS: what runs containers, and what says where.

Nothing runs: MiniStack calls a task RUNNING when nobody has started it.
"""

from dataclasses import dataclass

from rehearsal.extension import loopback, ministack
from rehearsal.extension.emulated import Emulated, Properties
from rehearsal.extension.resource_type import Attributes, Created, Request, ResourceType
from rehearsal.extension.shapes import call, fitted

# What MiniStack's ECS takes but does not keep, by the names that templates and answers have.
_FORGOTTEN = {
    "AvailabilityZoneRebalancing": "availabilityZoneRebalancing",
    "PlacementConstraints": "placementConstraints",
    "PlacementStrategies": "placementStrategy",
}


def _group_provider(request: Request) -> Properties:
    provider = request.properties.get("AutoScalingGroupProvider")
    if not provider:
        raise ValueError("the rehearsal's ECS has capacity providers of Auto Scaling groups only")
    # A template may name the group; ECS answers with its ARN, which ends with the name.
    name = provider["AutoScalingGroupArn"].split("/")[-1]
    groups = loopback.client("autoscaling").describe_auto_scaling_groups(
        AutoScalingGroupNames=[name]
    )["AutoScalingGroups"]
    if not groups:
        raise ValueError(f"The Auto Scaling group {name} does not exist")
    arn = groups[0]["AutoScalingGroupARN"]
    return {"AutoScalingGroupProvider": {**provider, "AutoScalingGroupArn": arn}}


def _change_capacity_provider(physical_id: str, old: Properties, request: Request) -> None:
    call(
        loopback.client("ecs"),
        "update_capacity_provider",
        {**_group_provider(request), "Name": physical_id},
    )


@dataclass(frozen=True)
class _CapacityProvider(Emulated):
    """Made, and changed to what it is: MiniStack keeps managed draining of changes only."""

    def create(self, request: Request) -> Created:
        name, attributes = super().create(request)
        _change_capacity_provider(name, {}, request)
        return name, attributes


def _associate(physical_id: str, old: Properties, request: Request) -> None:
    call(loopback.client("ecs"), "put_cluster_capacity_providers", request.properties)


def _change_service(physical_id: str, old: Properties, request: Request) -> None:
    changed = {name: value for name, value in request.properties.items() if old.get(name) != value}
    call(
        loopback.client("ecs"),
        "update_service",
        {**changed, "Cluster": request.properties.get("Cluster"), "Service": physical_id},
    )


@dataclass(frozen=True)
class _Service(Emulated):
    """A service that remembers how its tasks are to be placed."""

    def create(self, request: Request) -> Created:
        arn, attributes = super().create(request)
        _remember(arn, request)
        return arn, attributes

    def update(self, physical_id: str, old: Properties, request: Request) -> Attributes:
        attributes = super().update(physical_id, old, request)
        _remember(physical_id, request)
        return attributes


def _remember(arn: str, request: Request) -> None:
    shapes = loopback.client("ecs").meta.service_model.shape_for("Service").members
    record = ministack.ecs_services()[arn.split(":service/")[-1]]
    for name, member in _FORGOTTEN.items():
        if name in request.properties:
            record[member] = fitted(request.properties[name], shapes[member])
        else:
            record.pop(member, None)


EMULATED: dict[str, ResourceType] = {
    "AWS::ECS::CapacityProvider": _CapacityProvider(
        service="ecs",
        create_operation="create_capacity_provider",
        identifier="Answer.capacityProvider.name",
        named_by="Name",
        parameters=_group_provider,
        change=_change_capacity_provider,
        delete_operation="delete_capacity_provider",
        delete_parameters={"capacityProvider": "Id"},
    ),
    "AWS::ECS::ClusterCapacityProviderAssociations": Emulated(
        service="ecs",
        create_operation="put_cluster_capacity_providers",
        identifier="Parameters.Cluster",
        change=_associate,
        delete_operation="put_cluster_capacity_providers",
        delete_parameters={
            "cluster": "Id",
            "capacityProviders": "`[]`",
            "defaultCapacityProviderStrategy": "`[]`",
        },
    ),
    # MiniStack's own keeps volumes and health checks by names that ECS does not have.
    "AWS::ECS::TaskDefinition": Emulated(
        service="ecs",
        create_operation="register_task_definition",
        identifier="Answer.taskDefinition.taskDefinitionArn",
        attributes={"TaskDefinitionArn": "Answer.taskDefinition.taskDefinitionArn"},
        named_by="Family",
        delete_operation="deregister_task_definition",
        delete_parameters={"taskDefinition": "Id"},
    ),
    # MiniStack's own drops most of what a service can say.
    "AWS::ECS::Service": _Service(
        service="ecs",
        create_operation="create_service",
        identifier="Answer.service.serviceArn",
        attributes={
            "ServiceArn": "Answer.service.serviceArn",
            "Name": "Answer.service.serviceName",
        },
        named_by="ServiceName",
        renamed={"PlacementStrategies": "placementStrategy"},
        change=_change_service,
        delete_operation="delete_service",
        delete_parameters={"cluster": "Properties.Cluster", "service": "Id", "force": "`true`"},
    ),
}
