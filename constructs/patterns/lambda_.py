"""Functions that own their log group and may do nothing they were not granted."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from patterns.validations import InvalidArgumentError, acknowledge

RUNTIME = lambda_.Runtime.PYTHON_3_14


class PythonFunction(lambda_.Function):
    """A Python function on Graviton, made of one folder of source and nothing to build.

    Its log group belongs to the stack, so nothing is left behind when that is destroyed, and its
    role may write to that log group only: AWS's managed policy for functions would let it write
    to every log group of the account. It has no dead-letter queue: whoever calls it, or the poller
    that feeds it, sees its failures.

    Args:
        source: The folder that holds ``index.py`` with the function ``handler``.
        timeout: 1 second to 15 minutes.
        log_retention: How long its log events are kept.
        handler: The function to call, where one folder of source has several.
        memory_size: 128 to 10,240 MB; CPU grows with it, one vCPU at 1,769 MB.
        environment: At most 4 KB together; names of at least two characters.
        layers: At most five.
        ephemeral_storage_size: Of /tmp, 512 to 10,240 MiB.
        vpc: The network it reaches out into; it is called from outside of it all the same.
        vpc_subnets: Its subnets there. Even in a public one it gets no public address.
        security_groups: What it may reach there, and who may be reached by it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        source: Path,
        timeout: cdk.Duration,
        log_retention: logs.RetentionDays,
        handler: str = "index.handler",
        memory_size: int = 128,
        environment: Mapping[str, str] | None = None,
        layers: Sequence[lambda_.ILayerVersion] | None = None,
        ephemeral_storage_size: cdk.Size | None = None,
        vpc: ec2.IVpc | None = None,
        vpc_subnets: ec2.SubnetSelection | None = None,
        security_groups: Sequence[ec2.ISecurityGroup] | None = None,
    ) -> None:
        log_group, role = _logs_and_role(scope, construct_id, log_retention)
        if vpc:
            _let_lambda_make_network_interfaces(role)
        super().__init__(
            scope,
            construct_id,
            runtime=RUNTIME,
            architecture=lambda_.Architecture.ARM_64,
            # Tests leave byte code behind, which would change the asset's hash.
            code=lambda_.Code.from_asset(str(source), exclude=["**/__pycache__"]),
            handler=handler,
            timeout=timeout,
            memory_size=memory_size,
            environment=environment,
            layers=layers,
            ephemeral_storage_size=ephemeral_storage_size,
            vpc=vpc,
            vpc_subnets=vpc_subnets,
            security_groups=security_groups,
            role=role,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            tracing=lambda_.Tracing.ACTIVE,
        )

        _acknowledge(self, role)


class ImageFunction(lambda_.DockerImageFunction):
    """What ``PythonFunction`` is, made of a container image for Graviton.

    Args:
        code: In a private ECR repository of the stack's region, or to be built and pushed there
            when the stack is deployed. At most 10 GB.
        timeout: 1 second to 15 minutes.
        log_retention: How long its log events are kept.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        code: lambda_.DockerImageCode,
        timeout: cdk.Duration,
        log_retention: logs.RetentionDays,
    ) -> None:
        log_group, role = _logs_and_role(scope, construct_id, log_retention)
        super().__init__(
            scope,
            construct_id,
            architecture=lambda_.Architecture.ARM_64,
            code=code,
            timeout=timeout,
            memory_size=128,
            role=role,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            tracing=lambda_.Tracing.ACTIVE,
        )
        _acknowledge(self, role)


class PackagesLayer(lambda_.LayerVersion):
    """Packages of Python that functions import, all of them in the folder ``python``.

    They are our own, or what ``make setup`` installs there from the lock ``requirements.txt``, with
    nothing compiled in them, so that they run on any processor.

    Args:
        source: The folder with ``python`` in it, and the lock if there is one.
        description: What they are for.

    Raises:
        InvalidArgumentError: They have not been installed.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, source: Path, description: str
    ) -> None:
        if not (source / "python").is_dir():
            raise InvalidArgumentError(
                f"the layer {source.name} has nothing in it: {source / 'python'} is missing; "
                "run make setup"
            )
        super().__init__(
            scope,
            construct_id,
            description=description,
            code=lambda_.Code.from_asset(str(source), exclude=["requirements.*", "**/__pycache__"]),
            compatible_runtimes=[RUNTIME],
        )


def _logs_and_role(
    scope: Construct, construct_id: str, retention: logs.RetentionDays
) -> tuple[logs.LogGroup, iam.Role]:
    # A function cannot be the parent of what it is made from: these are its siblings.
    log_group = logs.LogGroup(
        scope,
        f"{construct_id}Logs",
        retention=retention,
        # Also in production: what must outlast the function belongs in an archive of its own.
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    role = iam.Role(
        scope,
        f"{construct_id}Role",
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
    )
    log_group.grant_write(role)
    return log_group, role


def _let_lambda_make_network_interfaces(role: iam.Role) -> None:
    """What Lambda needs a function's role for, and the function's own code does not.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
    """
    manage = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:UnassignPrivateIpAddresses",
    ]
    look = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
    # Lambda chooses subnet, group and interface; it refuses a role that names only some of them.
    ours = cdk.Stack.of(role).format_arn(service="ec2", resource="*", resource_name="*")
    for statement in (
        iam.PolicyStatement(actions=manage, resources=[ours]),
        iam.PolicyStatement(actions=look, resources=["*"]),
        iam.PolicyStatement(
            effect=iam.Effect.DENY,
            actions=[*manage, *look],
            resources=["*"],
            # A key that only requests of a function's code carry.
            conditions={"Null": {"lambda:SourceFunctionArn": "false"}},
        ),
    ):
        role.add_to_policy(statement)
    acknowledge(
        role,
        "AwsSolutions::AwsSolutions-IAM5"
        "[Resource::arn:<AWS::Partition>:ec2:<AWS::Region>:<AWS::AccountId>:*/*]",
        reason="Lambda makes the network interfaces, and its code is denied what Lambda may do.",
    )


def _acknowledge(function: lambda_.Function, role: iam.Role) -> None:
    acknowledge(
        role,
        "AwsSolutions::AwsSolutions-IAM5[Resource::*]",
        reason="X-Ray's Put and EC2's Describe actions have no resource to name.",
    )
    acknowledge(
        function,
        "Serverless::Serverless-LambdaDLQ",
        reason="Takes the events of asynchronous invocations only; this one is not so invoked.",
    )
