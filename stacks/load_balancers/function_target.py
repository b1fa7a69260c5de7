"""Functions behind an Application Load Balancer."""

import aws_cdk as cdk
import jsii
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_


@jsii.implements(elbv2.IApplicationLoadBalancerTarget)
class FunctionTarget:
    """A function that only load balancers of its own account and region may invoke.

    The CDK's ``LambdaTarget`` lets any load balancer of any account invoke it. The permission
    cannot name the target group: registering a function with it takes the permission first.
    """

    def __init__(self, function: lambda_.Function) -> None:
        self._function = function

    def attach_to_application_target_group(
        self, target_group: elbv2.IApplicationTargetGroup
    ) -> elbv2.LoadBalancerTargetProps:
        """Let load balancers invoke the function, and have it registered after that."""
        stack = cdk.Stack.of(self._function)
        self._function.add_permission(
            "LoadBalancers",
            principal=iam.ServicePrincipal("elasticloadbalancing.amazonaws.com"),
            source_arn=stack.format_arn(
                service="elasticloadbalancing", resource="targetgroup", resource_name="*"
            ),
        )
        target_group.node.add_dependency(self._function.node.find_child("LoadBalancers"))
        return elbv2.LoadBalancerTargetProps(
            target_type=elbv2.TargetType.LAMBDA,
            target_json={"id": self._function.function_arn},
        )
