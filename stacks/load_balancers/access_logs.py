"""Where a load balancer writes a line for each request."""

import aws_cdk as cdk
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from patterns.validations import acknowledge


def write_access_logs(
    load_balancer: elbv2.ApplicationLoadBalancer,
    kept: cdk.Duration,
    removal_policy: cdk.RemovalPolicy,
) -> None:
    """Have ``load_balancer`` log its requests, every five minutes, to a bucket of its own.

    The CDK's ``log_access_logs`` wants a stack that names its region, for the sake of a bucket
    policy that AWS recommends to replace by this one:
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
    """
    stack = cdk.Stack.of(load_balancer)
    bucket = s3.Bucket(
        stack,
        "AccessLogs",
        # The only encryption that access logs can be delivered with.
        encryption=s3.BucketEncryption.S3_MANAGED,
        enforce_ssl=True,
        lifecycle_rules=[s3.LifecycleRule(expiration=kept)],
        removal_policy=removal_policy,
    )
    bucket.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal("logdelivery.elasticloadbalancing.amazonaws.com")],
            actions=["s3:PutObject"],
            resources=[bucket.arn_for_objects(f"AWSLogs/{stack.account}/*")],
            conditions={
                "ArnLike": {
                    "aws:SourceArn": stack.format_arn(
                        service="elasticloadbalancing", resource="loadbalancer", resource_name="*"
                    )
                }
            },
        )
    )
    acknowledge(
        bucket,
        "AwsSolutions::AwsSolutions-S1",
        reason="It holds the log; a log of who reads it would need a log of its own.",
    )
    load_balancer.set_attribute("access_logs.s3.enabled", "true")
    load_balancer.set_attribute("access_logs.s3.bucket", bucket.bucket_name)
    # Switched on, logging is tried at once.
    assert bucket.policy
    load_balancer.node.add_dependency(bucket.policy)
