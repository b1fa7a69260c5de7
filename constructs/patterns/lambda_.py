"""Functions that own their log group and may do nothing they were not granted."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from patterns.validations import acknowledge


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
        memory_size: 128 to 10,240 MB; CPU grows with it, one vCPU at 1,769 MB.
        environment: At most 4 KB together; names of at least two characters.
        layers: At most five.
        ephemeral_storage_size: Of /tmp, 512 to 10,240 MiB.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        source: Path,
        timeout: cdk.Duration,
        log_retention: logs.RetentionDays,
        memory_size: int = 128,
        environment: Mapping[str, str] | None = None,
        layers: Sequence[lambda_.ILayerVersion] | None = None,
        ephemeral_storage_size: cdk.Size | None = None,
    ) -> None:
        # A function cannot be the parent of what it is made from: these are its siblings.
        log_group = logs.LogGroup(
            scope,
            f"{construct_id}Logs",
            retention=log_retention,
            # What happened lives on in the retention of an account's log archive, not in a stack.
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        role = iam.Role(
            scope,
            f"{construct_id}Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        )
        log_group.grant_write(role)

        super().__init__(
            scope,
            construct_id,
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            # Tests leave byte code behind, which would change the asset's hash.
            code=lambda_.Code.from_asset(str(source), exclude=["**/__pycache__"]),
            handler="index.handler",
            timeout=timeout,
            memory_size=memory_size,
            environment=environment,
            layers=layers,
            ephemeral_storage_size=ephemeral_storage_size,
            role=role,
            log_group=log_group,
            logging_format=lambda_.LoggingFormat.JSON,
            tracing=lambda_.Tracing.ACTIVE,
        )

        acknowledge(
            role,
            "AwsSolutions::AwsSolutions-IAM5[Resource::*]",
            reason="X-Ray's PutTraceSegments and PutTelemetryRecords have no resource to name.",
        )
        acknowledge(
            self,
            "Serverless::Serverless-LambdaDLQ",
            reason="Takes the events of asynchronous invocations only; this one is not so invoked.",
        )
