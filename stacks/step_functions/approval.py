"""The links with which a person answers a workflow that waits."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from patterns.lambda_ import PythonFunction
from patterns.validations import acknowledge

STAGE = "prod"
TOKEN = "method.request.querystring.token"


class ApprovalLinks(Construct):
    """An API for two links in a mail: ``/approve`` and ``/reject``, with a task token.

    There is nobody to sign in: a link works for everybody who has it, once, while the workflow
    waits. A token is long and random; calls are throttled, and without a token end at the API.

    The workflow's definition needs ``url`` and the function behind the API may answer that workflow
    only, so the two are made in three steps: this, the state machine, ``answer``.
    """

    url: str

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)

        self._api = apigateway.RestApi(
            self,
            "Api",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE,
                throttling_rate_limit=10,
                throttling_burst_limit=20,
                tracing_enabled=True,
            ),
        )
        acknowledge(
            self._api.deployment_stage,
            "AwsSolutions::AwsSolutions-APIG1",
            "AwsSolutions::AwsSolutions-APIG6",
            "Serverless::Serverless-APIGWAccessLogging",
            reason="Logs of a REST API take a role that an account and region have one of, which "
            "is not one stack's to set; execution logs would show the tokens besides.",
        )
        acknowledge(
            self._api.deployment_stage,
            "AwsSolutions::AwsSolutions-APIG3",
            reason="A web ACL bills $5 a month; two links, throttled, need none.",
        )
        stack = cdk.Stack.of(self)
        # RestApi.url would make the workflow wait for the stage, which waits for the function.
        self.url = (
            f"https://{self._api.rest_api_id}.execute-api.{stack.region}.{stack.url_suffix}/{STAGE}"
        )

    def answer(
        self, machine: sfn.StateMachine, *, handler: Path, log_retention: logs.RetentionDays
    ) -> None:
        """Have the links answer tasks of ``machine``, and of no other.

        Args:
            machine: Whose tasks hand out the tokens.
            handler: The folder of a function that turns a request into the answer to a task.
            log_retention: Of that function's log.
        """
        function = PythonFunction(
            self,
            "Answer",
            source=handler,
            timeout=cdk.Duration.seconds(5),
            log_retention=log_retention,
        )
        # grant_task_response() would also allow heartbeats.
        machine.grant(function, "states:SendTaskSuccess", "states:SendTaskFailure")
        validator = self._api.add_request_validator(
            "Token", validate_request_parameters=True, validate_request_body=True
        )
        for path in ("approve", "reject"):
            method = self._api.root.add_resource(path).add_method(
                "GET",
                apigateway.LambdaIntegration(function, allow_test_invoke=False),
                request_parameters={TOKEN: True},
                request_validator=validator,
            )
            acknowledge(
                method,
                "AwsSolutions::AwsSolutions-APIG4",
                "AwsSolutions::AwsSolutions-COG4",
                reason="The task token in the link is what authorizes: random, and good only once.",
            )
