"""Lambda: functions, and what decides how they are called, fed, sized and changed."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from patterns.lambda_ import ImageFunction, PythonFunction
from patterns.validations import acknowledge, wildcard_below

HERE = Path(__file__).parent
HANDLERS = HERE / "handlers"


class LambdaStack(cdk.Stack):
    """One function in every shape: URLs, versions and an alias, a layer, /tmp, two memory sizes.

    A request reaches ``Greet`` from the internet, through a function URL or an API: both call the
    alias ``live``, never the code that was deployed last. ``DescribeCall`` answers only who signs,
    and tells what a function gets to know. ``FetchDocument`` keeps in /tmp what it downloaded.
    ``CountPrimes`` exists twice, with the processor that 128 and 1,769 MB of memory buy.

    Args:
        removal_policy: Of the table of calls and of the bucket of documents. CloudFormation deletes
            an empty bucket only: who puts documents into it has to delete them.
        log_retention: Of the functions' logs.
        image: Greet's code in a container (see Dockerfile). None leaves that function out, because
            it takes Docker to build one.
    """

    greet: lambda_.Function
    live: lambda_.Alias

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        removal_policy: cdk.RemovalPolicy,
        log_retention: logs.RetentionDays,
        image: lambda_.DockerImageCode | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)

        self.greet = PythonFunction(
            self,
            "Greet",
            source=HANDLERS / "greet",
            timeout=cdk.Duration.seconds(5),
            log_retention=log_retention,
        )
        self.live = lambda_.Alias(
            self, "Live", alias_name="live", version=self.greet.current_version
        )
        greet_url = self.live.add_function_url(auth_type=lambda_.FunctionUrlAuthType.NONE)
        greet_api = self._open_api(self.live)

        if image:
            greet_from_image = ImageFunction(
                self,
                "GreetFromImage",
                code=image,
                timeout=cdk.Duration.seconds(5),
                log_retention=log_retention,
            )
            cdk.CfnOutput(self, "GreetFromImageName", value=greet_from_image.function_name)

        execution_environment = lambda_.LayerVersion(
            self,
            "ExecutionEnvironment",
            description="Which execution environment a call runs in.",
            code=lambda_.Code.from_asset(
                str(HERE / "layers" / "execution_environment"), exclude=["**/__pycache__"]
            ),
            compatible_runtimes=[self.greet.runtime],
        )
        calls = dynamodb.TableV2(
            self,
            "Calls",
            partition_key=dynamodb.Attribute(
                name="function_name", type=dynamodb.AttributeType.STRING
            ),
            billing=dynamodb.Billing.on_demand(),
            removal_policy=removal_policy,
        )
        describe_call = PythonFunction(
            self,
            "DescribeCall",
            source=HANDLERS / "describe_call",
            timeout=cdk.Duration.seconds(10),
            log_retention=log_retention,
            environment={"TABLE_NAME": calls.table_name},
            layers=[execution_environment],
        )
        calls.grant(describe_call, "dynamodb:UpdateItem")
        describe_call_url = describe_call.add_function_url(
            auth_type=lambda_.FunctionUrlAuthType.AWS_IAM
        )

        documents = s3.Bucket(
            self,
            "Documents",
            enforce_ssl=True,
            minimum_tls_version=1.2,
            removal_policy=removal_policy,
        )
        acknowledge(
            documents,
            "AwsSolutions::AwsSolutions-S1",
            reason="Nobody but one function is granted access; the s3 blueprint shows access logs.",
        )
        fetch_document = PythonFunction(
            self,
            "FetchDocument",
            source=HANDLERS / "fetch_document",
            timeout=cdk.Duration.seconds(30),
            log_retention=log_retention,
            environment={"BUCKET_NAME": documents.bucket_name},
            layers=[execution_environment],
            ephemeral_storage_size=cdk.Size.gibibytes(1),
        )
        # grant_read() would also allow listing the bucket and reading its settings.
        fetch_document.add_to_role_policy(
            iam.PolicyStatement(
                actions=["s3:GetObject"], resources=[documents.arn_for_objects("*")]
            )
        )
        assert fetch_document.role
        acknowledge(
            fetch_document.role,
            wildcard_below(documents, "/*"),
            reason="Callers name the document: it may read any of this bucket, and nothing else.",
        )

        count_primes_small = self._count_primes("CountPrimesSmall", 128, log_retention)
        # One whole virtual processor; more than one helps only code that runs in parallel:
        # https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
        count_primes_large = self._count_primes("CountPrimesLarge", 1769, log_retention)

        cdk.CfnOutput(self, "GreetName", value=self.greet.function_name)
        cdk.CfnOutput(self, "LiveArn", value=self.live.function_arn)
        cdk.CfnOutput(self, "GreetUrl", value=greet_url.url)
        cdk.CfnOutput(self, "GreetApiUrl", value=greet_api.url)
        cdk.CfnOutput(
            self, "ExecutionEnvironmentArn", value=execution_environment.layer_version_arn
        )
        cdk.CfnOutput(self, "CallsTableName", value=calls.table_name)
        cdk.CfnOutput(self, "DescribeCallName", value=describe_call.function_name)
        cdk.CfnOutput(self, "DescribeCallUrl", value=describe_call_url.url)
        cdk.CfnOutput(self, "DocumentsName", value=documents.bucket_name)
        cdk.CfnOutput(self, "FetchDocumentName", value=fetch_document.function_name)
        cdk.CfnOutput(self, "CountPrimesSmallName", value=count_primes_small.function_name)
        cdk.CfnOutput(self, "CountPrimesLargeName", value=count_primes_large.function_name)

    def _open_api(self, handler: lambda_.IFunction) -> apigateway.RestApi:
        """A REST API with one route, open to everybody like the function URL beside it."""
        api = apigateway.RestApi(
            self,
            "Api",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            deploy_options=apigateway.StageOptions(
                stage_name="v1",
                throttling_rate_limit=10,
                throttling_burst_limit=20,
                tracing_enabled=True,
            ),
        )
        # The console's test button would need a permission of its own.
        get = api.root.add_method(
            "GET", apigateway.LambdaIntegration(handler, allow_test_invoke=False)
        )
        acknowledge(
            api,
            "AwsSolutions::AwsSolutions-APIG2",
            reason="There is nothing to validate: one optional parameter, any text will do.",
        )
        acknowledge(
            get,
            "AwsSolutions::AwsSolutions-APIG4",
            "AwsSolutions::AwsSolutions-COG4",
            reason="A greeting for everybody, to compare with the public function URL.",
        )
        acknowledge(
            api.deployment_stage,
            "AwsSolutions::AwsSolutions-APIG1",
            "AwsSolutions::AwsSolutions-APIG6",
            "Serverless::Serverless-APIGWAccessLogging",
            reason="Takes a role that the whole account shares, and would stay: see api-gateway.",
        )
        acknowledge(
            api.deployment_stage,
            "AwsSolutions::AwsSolutions-APIG3",
            reason="A web ACL bills by the month; the stage's throttle is what limits abuse here.",
        )
        return api

    def _count_primes(
        self, construct_id: str, memory_size: int, log_retention: logs.RetentionDays
    ) -> PythonFunction:
        return PythonFunction(
            self,
            construct_id,
            source=HANDLERS / "count_primes",
            timeout=cdk.Duration.seconds(60),
            log_retention=log_retention,
            memory_size=memory_size,
        )
