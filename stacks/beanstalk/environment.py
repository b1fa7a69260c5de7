"""An environment, as the options that say what Beanstalk makes for it."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticbeanstalk as elasticbeanstalk
from aws_cdk import aws_iam as iam
from constructs import Construct

from patterns.validations import acknowledge

Options = Mapping[str, Mapping[str, str]]
"""Values by name and namespace, of which there are many:
https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/command-options-general.html
"""


class DeploymentPolicy(StrEnum):
    """How a new version reaches the instances of an environment.

    https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/using-features.rolling-version-deploy.html
    """

    ALL_AT_ONCE = "AllAtOnce"
    ROLLING = "Rolling"
    ROLLING_WITH_ADDITIONAL_BATCH = "RollingWithAdditionalBatch"
    IMMUTABLE = "Immutable"
    TRAFFIC_SPLITTING = "TrafficSplitting"

    @property
    def needs_load_balancer(self) -> bool:
        """Whether old and new instances answer side by side."""
        return self not in (DeploymentPolicy.ALL_AT_ONCE, DeploymentPolicy.IMMUTABLE)

    def options(self) -> Options:
        """Batches of one instance; a tenth of the requests for five minutes."""
        command = {"DeploymentPolicy": self.value}
        if self in (DeploymentPolicy.ROLLING, DeploymentPolicy.ROLLING_WITH_ADDITIONAL_BATCH):
            command |= {"BatchSizeType": "Fixed", "BatchSize": "1"}
        options = {"aws:elasticbeanstalk:command": command}
        if self is DeploymentPolicy.TRAFFIC_SPLITTING:
            options["aws:elasticbeanstalk:trafficsplitting"] = {
                "NewVersionPercent": "10",
                "EvaluationTime": "5",
            }
        return options


class Environment(elasticbeanstalk.CfnEnvironment):
    """An environment with a URL of its own, which keeps its platform current.

    Args:
        application_name: The application it is of.
        version_label: The version it is made with; a changed one is deployed by its policy.
        platform_branch: Its newest platform version is taken, now and every Sunday.
        cname_prefix: The first part of the URL, 4 to 63 characters. No other environment of the
            region may have it, in whichever account.
        service_role: Watches the environment's health and updates its platform.
        options: What else the environment is made of.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        application_name: str,
        version_label: str,
        platform_branch: str,
        cname_prefix: str,
        service_role: iam.Role,
        options: Sequence[Options],
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            application_name=application_name,
            version_label=version_label,
            # Without a version number it is the branch, which stands for its newest version:
            # https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/AWSHowTo.secrets.env-vars.html
            platform_arn=cdk.Stack.of(scope).format_arn(
                service="elasticbeanstalk",
                account="",
                resource="platform",
                resource_name=platform_branch,
            ),
            cname_prefix=cname_prefix,
            option_settings=[
                elasticbeanstalk.CfnEnvironment.OptionSettingProperty(
                    namespace=namespace, option_name=name, value=value
                )
                for group in (*options, _watched_and_updated_by(service_role), LOGS)
                for namespace, values in group.items()
                for name, value in values.items()
            ],
        )
        self.url = f"http://{cname_prefix}.{cdk.Aws.REGION}.elasticbeanstalk.com"
        acknowledge(
            self,
            "AwsSolutions::AwsSolutions-EB4",
            reason="Logs go to CloudWatch, in groups that Beanstalk deletes with the environment; "
            "in its bucket they would stay.",
        )


def one_instance(vpc: ec2.IVpc) -> Options:
    """One instance with an Elastic IP address, at which visitors reach it."""
    return {
        "aws:elasticbeanstalk:environment": {"EnvironmentType": "SingleInstance"},
        "aws:ec2:vpc": {
            "VPCId": vpc.vpc_id,
            "Subnets": _ids(vpc.public_subnets),
            "AssociatePublicIpAddress": "true",
        },
    }


def behind_load_balancer(vpc: ec2.IVpc, group: ec2.ISecurityGroup, *, private: bool) -> Options:
    """Two to four instances behind an Application Load Balancer.

    Args:
        vpc: Where they lie.
        group: The load balancer's security group.
        private: Whether the instances lie in private subnets. They ask for their packages and
            report over the internet, so these need a NAT.
    """
    return {
        "aws:elasticbeanstalk:environment": {
            "EnvironmentType": "LoadBalanced",
            "LoadBalancerType": "application",
        },
        "aws:autoscaling:asg": {"MinSize": "2", "MaxSize": "4"},
        "aws:ec2:vpc": {
            "VPCId": vpc.vpc_id,
            "Subnets": _ids(vpc.private_subnets if private else vpc.public_subnets),
            "AssociatePublicIpAddress": "false" if private else "true",
            "ELBSubnets": _ids(vpc.public_subnets),
        },
        "aws:elbv2:loadbalancer": {
            "SecurityGroups": group.security_group_id,
            # Beanstalk would make another one, and open it to everybody.
            "ManagedSecurityGroup": group.security_group_id,
        },
    }


def https_only(certificate: acm.ICertificate) -> Options:
    """The load balancer listens for TLS, and for nothing else."""
    return {
        "aws:elbv2:listener:default": {"ListenerEnabled": "false"},
        "aws:elbv2:listener:443": {
            "Protocol": "HTTPS",
            "SSLCertificateArns": certificate.certificate_arn,
            "SSLPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
        },
    }


def instances(profile: iam.InstanceProfile, group: ec2.ISecurityGroup) -> Options:
    """The smallest Graviton instances, with no other security group than ``group``."""
    return {
        "aws:ec2:instances": {"InstanceTypes": "t4g.micro", "SupportedArchitectures": "arm64"},
        "aws:autoscaling:launchconfiguration": {
            "IamInstanceProfile": profile.instance_profile_arn,
            "SecurityGroups": group.security_group_id,
            "DisableDefaultEC2SecurityGroup": "true",
            # These have Beanstalk make a launch template in any account. New accounts have no
            # launch configurations:
            # https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/environments-cfg-autoscaling-launch-templates.html
            "DisableIMDSv1": "true",
            "RootVolumeType": "gp3",
            "RootVolumeSize": "10",
        },
    }


def _watched_and_updated_by(role: iam.Role) -> Options:
    return {
        "aws:elasticbeanstalk:environment": {"ServiceRole": role.role_arn},
        "aws:elasticbeanstalk:healthreporting:system": {"SystemType": "enhanced"},
        "aws:elasticbeanstalk:managedactions": {
            "ManagedActionsEnabled": "true",
            "PreferredStartTime": "Sun:02:00",
            "ServiceRoleForManagedUpdates": role.role_arn,
        },
        "aws:elasticbeanstalk:managedactions:platformupdate": {"UpdateLevel": "minor"},
    }


LOGS: Options = {
    "aws:elasticbeanstalk:cloudwatch:logs": {
        "StreamLogs": "true",
        "DeleteOnTerminate": "true",
        "RetentionInDays": "7",
    }
}


def _ids(subnets: Sequence[ec2.ISubnet]) -> str:
    return cdk.Fn.join(",", [subnet.subnet_id for subnet in subnets])
