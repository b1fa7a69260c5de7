"""Beanstalk: one application, two environments that swap places, and how versions are deployed."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticbeanstalk as elasticbeanstalk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3_assets as s3_assets
from constructs import Construct

from patterns.validations import InvalidArgumentError, acknowledge
from stacks.beanstalk.environment import (
    DeploymentPolicy,
    Environment,
    behind_load_balancer,
    https_only,
    instances,
    one_instance,
)
from stacks.beanstalk.roles import InstanceRole, ServiceRole
from stacks.profile import Nat

APPLICATION = Path(__file__).parent / "application"
PLATFORM_BRANCH = "Python 3.14 running on 64bit Amazon Linux 2023"
VERSIONS_KEPT = 3


class BeanstalkStack(cdk.Stack):
    """One application in a blue and a green environment, and six ways to deploy a new version.

    A request to an environment's URL reaches its one instance or, behind a load balancer, one of
    two to four, on port 80. Everything that runs is made by Beanstalk, in stacks of its own that
    live and die with the environments.

    Blue and green start with the same version. A new one goes to the one that is not live, by
    Beanstalk's API, and then the two swap their URLs. CloudFormation knows nothing of this, so a
    later change of ``application/`` is deployed to both.

    Args:
        vpc: Load balancers and single instances lie in its public subnets.
        nat: How its private subnets reach the internet: if they do, instances behind a load
            balancer lie there.
        deployment_policy: How an environment is updated when its version changes.
        load_balanced: Whether the requests of each environment are spread over two instances or
            more, by a load balancer, which bills by the hour.
        certificate: Of a domain that points at the load balancers; with it they speak HTTPS only.
            Without it requests travel in plain text.

    Raises:
        InvalidArgumentError: If a policy or a certificate needs a load balancer and there is none.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        nat: Nat,
        deployment_policy: DeploymentPolicy,
        load_balanced: bool,
        certificate: acm.ICertificate | None = None,
        **kwargs: Any,
    ) -> None:
        if not load_balanced:
            _refuse_what_needs_a_load_balancer(deployment_policy, certificate)
        super().__init__(scope, construct_id, **kwargs)

        port = ec2.Port.HTTPS if certificate else ec2.Port.HTTP
        guard = self._security_group(vpc, "Instances", "Takes web requests, asks over HTTPS")
        guard.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.HTTPS, "Packages, and Beanstalk itself")
        if load_balanced:
            front = self._security_group(vpc, "LoadBalancers", "Passes web requests on")
            guard.connections.allow_from(front, ec2.Port.HTTP, "Requests")
            shape = [behind_load_balancer(vpc, front, private=nat is not Nat.NONE)]
            if certificate:
                shape.append(https_only(certificate))
        else:
            front = guard
            shape = [one_instance(vpc)]
        front.add_ingress_rule(ec2.Peer.any_ipv4(), port, "Visitors")
        acknowledge(
            front,
            "AwsSolutions::AwsSolutions-EC23",
            reason="A public web application is for everybody; no other port is open.",
        )

        service_role = ServiceRole(self, "ServiceRole")
        application = elasticbeanstalk.CfnApplication(
            self,
            "Application",
            resource_lifecycle_config=elasticbeanstalk.CfnApplication.ApplicationResourceLifecycleConfigProperty(
                service_role=service_role.role_arn,
                version_lifecycle_config=elasticbeanstalk.CfnApplication.ApplicationVersionLifecycleConfigProperty(
                    max_count_rule=elasticbeanstalk.CfnApplication.MaxCountRuleProperty(
                        enabled=True, max_count=VERSIONS_KEPT, delete_source_from_s3=True
                    )
                ),
            ),
        )
        bundle = s3_assets.Asset(self, "Bundle", path=str(APPLICATION), exclude=["**/__pycache__"])
        version = elasticbeanstalk.CfnApplicationVersion(
            self,
            "Version",
            application_name=application.ref,
            source_bundle=elasticbeanstalk.CfnApplicationVersion.SourceBundleProperty(
                s3_bucket=bundle.s3_bucket_name, s3_key=bundle.s3_object_key
            ),
        )

        instance_role = InstanceRole(self, "InstanceRole", application=application)
        profile = iam.InstanceProfile(self, "InstanceProfile", role=instance_role)
        # URLs are shared with everybody in the region; the stack's id is not.
        unique = cdk.Fn.select(
            0, cdk.Fn.split("-", cdk.Fn.select(2, cdk.Fn.split("/", self.stack_id)))
        )
        for color in ("Blue", "Green"):
            environment = Environment(
                self,
                color,
                application_name=application.ref,
                version_label=version.ref,
                platform_branch=PLATFORM_BRANCH,
                cname_prefix=f"{color.lower()}-{unique}",
                service_role=service_role,
                options=[*shape, instances(profile, guard), deployment_policy.options()],
            )
            # The role's policy is a resource beside it: instances that start before it fail.
            environment.node.add_dependency(instance_role)
            cdk.CfnOutput(self, f"{color}Name", value=environment.ref)
            cdk.CfnOutput(self, f"{color}Url", value=environment.url)
        cdk.CfnOutput(self, "ApplicationName", value=application.ref)
        cdk.CfnOutput(self, "BundleBucket", value=bundle.s3_bucket_name)
        cdk.CfnOutput(self, "BundleKey", value=bundle.s3_object_key)
        cdk.CfnOutput(self, "InstanceRoleName", value=instance_role.role_name)
        cdk.CfnOutput(self, "InstancesGroupId", value=guard.security_group_id)

    def _security_group(
        self, vpc: ec2.IVpc, construct_id: str, description: str
    ) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            self, construct_id, vpc=vpc, description=description, allow_all_outbound=False
        )


def _refuse_what_needs_a_load_balancer(
    policy: DeploymentPolicy, certificate: acm.ICertificate | None
) -> None:
    if policy.needs_load_balancer:
        raise InvalidArgumentError(
            f"deployment policy {policy} updates some instances while others answer, and a single "
            "instance has no others; give load_balanced=True, or choose AllAtOnce or Immutable"
        )
    if certificate:
        raise InvalidArgumentError(
            "a certificate belongs to a load balancer, and a single instance has none; "
            "give load_balanced=True, or leave the certificate out"
        )
