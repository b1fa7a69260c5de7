"""Who acts for an environment: Beanstalk itself, and its instances."""

import aws_cdk as cdk
from aws_cdk import aws_elasticbeanstalk as elasticbeanstalk
from aws_cdk import aws_iam as iam
from constructs import Construct

from patterns.validations import acknowledge


class ServiceRole(iam.Role):
    """Lets Beanstalk watch environments, update their platform and delete old versions.

    What an update of the platform needs follows the platform, so AWS keeps the list:
    https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/iam-servicerole.html
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        policies = (
            "service-role/AWSElasticBeanstalkEnhancedHealth",
            "AWSElasticBeanstalkManagedUpdatesCustomerRolePolicy",
        )
        super().__init__(
            scope,
            construct_id,
            assumed_by=iam.ServicePrincipal(
                "elasticbeanstalk.amazonaws.com",
                conditions={"StringEquals": {"sts:ExternalId": "elasticbeanstalk"}},
            ),
            managed_policies=[
                iam.ManagedPolicy.from_aws_managed_policy_name(name) for name in policies
            ],
        )
        acknowledge(
            self,
            *(
                "AwsSolutions::AwsSolutions-IAM4"
                f"[Policy::arn:<AWS::Partition>:iam::aws:policy/{name}]"
                for name in policies
            ),
            reason="What Beanstalk does for an environment changes with its platform, and AWS "
            "changes these policies with it. Only Beanstalk assumes the role.",
        )


class InstanceRole(iam.Role):
    """Lets instances fetch their version, report their health and write their logs.

    It is AWS's policy for web servers, ``AWSElasticBeanstalkWebTier``, without X-Ray, and narrowed
    to one application, one region and one account:
    https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/iam-instanceprofile.html

    Args:
        application: The application whose instances these are.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        application: elasticbeanstalk.CfnApplication,
    ) -> None:
        super().__init__(scope, construct_id, assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
        stack = cdk.Stack.of(self)
        bucket = (
            f"arn:{cdk.Aws.PARTITION}:s3:::elasticbeanstalk-{cdk.Aws.REGION}-{cdk.Aws.ACCOUNT_ID}"
        )
        logs = stack.format_arn(
            service="logs",
            resource="log-group",
            resource_name="/aws/elasticbeanstalk/*",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        itself = stack.format_arn(
            service="elasticbeanstalk", resource="application", resource_name=application.ref
        )
        environments = stack.format_arn(
            service="elasticbeanstalk",
            resource="environment",
            resource_name=f"{application.ref}/*",
        )
        for actions, resources in (
            (["s3:ListBucket"], [bucket]),
            (["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], [f"{bucket}/*"]),
            (
                [
                    "logs:CreateLogStream",
                    "logs:DescribeLogGroups",
                    "logs:DescribeLogStreams",
                    "logs:PutLogEvents",
                ],
                [logs],
            ),
            (["elasticbeanstalk:PutInstanceStatistics"], [itself, environments]),
        ):
            self.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))
        acknowledge(
            self,
            "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:s3:::"
            "elasticbeanstalk-<AWS::Region>-<AWS::AccountId>/*]",
            "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:logs:<AWS::Region>:"
            "<AWS::AccountId>:log-group:/aws/elasticbeanstalk/*]",
            "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:elasticbeanstalk:"
            "<AWS::Region>:<AWS::AccountId>:environment/"
            f"<{stack.get_logical_id(application)}>/*]",
            reason="Beanstalk names its folders and log groups by environments not made yet.",
        )
