"""Lambda@Edge: a function in us-east-1, where CloudFront wants it, for a stack in any region."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from patterns.validations import acknowledge

SOURCE = str(Path(__file__).parent / "handlers" / "negotiate_language")
# Tests leave byte code behind, which would change the hash.
EXCLUDE = ["**/__pycache__"]
REGION = "us-east-1"


class EdgeStack(cdk.Stack):
    """The function that negotiates the language, and the version of it that CloudFront copies.

    It takes hours until the copies are gone that CloudFront has made, and until then the function
    cannot be deleted. Each region that runs a copy makes a log group, which no stack owns.

    Args:
        log_retention: Of the logs in us-east-1.
    """

    version_arn: str

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        log_retention: logs.RetentionDays,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, env=cdk.Environment(region=REGION), **kwargs)

        log_group = logs.LogGroup(
            self,
            "NegotiateLanguageLogs",
            retention=log_retention,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        function = lambda_.Function(
            self,
            "NegotiateLanguage",
            # At the edge there is no arm64, no X-Ray, no environment variable and no layer:
            # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/lambda-at-edge-function-restrictions.html
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.X86_64,
            code=lambda_.Code.from_asset(SOURCE, exclude=EXCLUDE),
            handler="index.handler",
            timeout=cdk.Duration.seconds(5),
            memory_size=128,
            role=self._role(log_group),
            log_group=log_group,
            # CloudFront uses a version until it has the next; all go with the function.
            current_version_options=lambda_.VersionOptions(removal_policy=cdk.RemovalPolicy.RETAIN),
        )
        acknowledge(
            function,
            "Serverless::Serverless-LambdaDLQ",
            "Serverless::Serverless-LambdaTracing",
            reason="Lambda@Edge has neither.",
        )
        # Named after the code: what refers to an output by the same name as before is not deployed
        # again, and CloudFront would go on with the version before.
        code = cdk.FileSystem.fingerprint(SOURCE, exclude=EXCLUDE)
        version = cdk.CfnOutput(
            self, f"Version{code[:8]}", value=function.current_version.function_arn
        )
        # By hand: the CDK refers to another region only from a stack that names its own.
        self.version_arn = cdk.Fn.get_stack_output(self.stack_name, version.node.id, REGION)

    def _role(self, log_group: logs.LogGroup) -> iam.Role:
        role = iam.Role(
            self,
            "NegotiateLanguageRole",
            assumed_by=iam.CompositePrincipal(
                iam.ServicePrincipal("lambda.amazonaws.com"),
                iam.ServicePrincipal("edgelambda.amazonaws.com"),
            ),
        )
        log_group.grant_write(role)
        # What CloudFront names a log group after, wherever it runs a copy.
        copies = f"/aws/lambda/{REGION}.{self.stack_name}-*"
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[f"arn:aws:logs:*:{self.account}:log-group:{copies}"],
            )
        )
        acknowledge(
            role,
            "AwsSolutions::AwsSolutions-IAM5"
            f"[Resource::arn:aws:logs:*:<AWS::AccountId>:log-group:{copies}]",
            reason="In any region, for CloudFront chooses; of any stream, for Lambda names them.",
        )
        return role
