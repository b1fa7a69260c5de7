"""What Cluster promises."""

import json

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk.assertions import Template

from patterns.ecs import Cluster
from tests.assembly import CONTEXT, StackTemplate


@pytest.mark.parametrize("fargate", [True, False])
def test_a_cluster_measures_nothing_whatever_the_account_says(fargate: bool) -> None:
    stack = cdk.Stack(cdk.App(context=CONTEXT), "Stack")
    vpc = ec2.Vpc(stack, "Vpc", restrict_default_security_group=False)
    Cluster(stack, "Cluster", vpc=vpc, enable_fargate_capacity_providers=fargate)
    template = StackTemplate(json.loads(json.dumps(Template.from_stack(stack).to_json())))

    [cluster] = template.of_type("AWS::ECS::Cluster").values()
    assert cluster["ClusterSettings"] == [{"Name": "containerInsights", "Value": "disabled"}]
    associated = "AWS::ECS::ClusterCapacityProviderAssociations" in template.types()
    assert associated is fargate
