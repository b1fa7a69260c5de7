"""Step Functions: an order workflow with every type of state, and a person in the middle of it."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from patterns.lambda_ import PythonFunction
from patterns.validations import acknowledge, wildcard_below
from stacks.step_functions.approval import ApprovalLinks
from stacks.step_functions.workflow import OrderWorkflow

HANDLERS = Path(__file__).parent / "handlers"


class StepFunctionsStack(cdk.Stack):
    """The order workflow: every state type, retries, compensation, human approval by task token.

    A second, EXPRESS machine prices an order; the items are reserved in a table; the card is
    charged. In between, a large order waits for a person, who opens one of two links. The queue
    ``Approvals`` gets them: whoever reads it would mail them, which here the exercise does.

    Args:
        approval_timeout: How long a large order waits, 1 minute to 14 days: as long as SQS can
            keep the links.
        pause: How long a customer may change their mind, and how long packing takes.
        removal_policy: Of the table of reserved items.
        deletion_protection: Of the same.
        log_retention: Of the logs of executions and functions.
    """

    orders: sfn.StateMachine

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        approval_timeout: cdk.Duration,
        pause: cdk.Duration,
        removal_policy: cdk.RemovalPolicy,
        deletion_protection: bool,
        log_retention: logs.RetentionDays,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)

        executions = sfn.LogOptions(
            destination=logs.LogGroup(
                self,
                "Executions",
                # Groups with this prefix share one entry in the account's resource policy for
                # logs, which has room for about ten others:
                # https://docs.aws.amazon.com/step-functions/latest/dg/bp-cwl.html
                log_group_name=f"/aws/vendedlogs/states/{self.stack_name}",
                retention=log_retention,
                removal_policy=cdk.RemovalPolicy.DESTROY,
            ),
            level=sfn.LogLevel.ALL,
            # It has the task tokens in it: whoever reads the log could approve orders.
            include_execution_data=False,
        )
        pricing = sfn.StateMachine(
            self,
            "Pricing",
            state_machine_type=sfn.StateMachineType.EXPRESS,
            query_language=sfn.QueryLanguage.JSONATA,
            definition_body=sfn.DefinitionBody.from_chainable(
                sfn.Pass.jsonata(
                    self, "Total", outputs="{% $sum([0, $states.input.(quantity * unit_price)]) %}"
                )
            ),
            logs=executions,
            tracing_enabled=True,
        )
        reservations = dynamodb.TableV2(
            self,
            "Reservations",
            partition_key=dynamodb.Attribute(name="order_id", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sku", type=dynamodb.AttributeType.STRING),
            billing=dynamodb.Billing.on_demand(),
            deletion_protection=deletion_protection,
            removal_policy=removal_policy,
        )
        approvals = sqs.Queue(
            self,
            "Approvals",
            enforce_ssl=True,
            # Once the workflow has given up on an order, its links are worth nothing.
            retention_period=approval_timeout,
        )
        acknowledge(
            approvals,
            "AwsSolutions::AwsSolutions-SQS3",
            "Serverless::Serverless-SQSRedrivePolicy",
            reason="Read by hand; what nobody reads in time, the workflow gives up on by itself.",
        )
        links = ApprovalLinks(self, "Links")
        charge_card = PythonFunction(
            self,
            "ChargeCard",
            source=HANDLERS / "charge_card",
            timeout=cdk.Duration.seconds(5),
            log_retention=log_retention,
        )
        workflow = OrderWorkflow(
            self,
            "Workflow",
            pricing=pricing,
            approval_limit=100,
            approvals=approvals,
            approval_timeout=approval_timeout,
            links=links.url,
            reservations=reservations,
            charge_card=charge_card,
            pause=pause,
        )
        self.orders = sfn.StateMachine(
            self,
            "Orders",
            state_machine_type=sfn.StateMachineType.STANDARD,
            definition_body=sfn.DefinitionBody.from_chainable(workflow.definition),
            logs=executions,
            tracing_enabled=True,
        )
        acknowledge(
            self.orders.role,
            wildcard_below(charge_card, ":*"),
            reason="Versions and aliases of that one function, which the CDK always adds.",
        )
        for machine in (pricing, self.orders):
            acknowledge(
                machine.role,
                "AwsSolutions::AwsSolutions-IAM5[Resource::*]",
                reason="Delivery of logs to a group, and X-Ray, have no resource to name: "
                "https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html",
            )
        links.answer(self.orders, handler=HANDLERS / "answer_approval", log_retention=log_retention)

        cdk.CfnOutput(self, "OrdersArn", value=self.orders.state_machine_arn)
        cdk.CfnOutput(self, "ApprovalsUrl", value=approvals.queue_url)
        cdk.CfnOutput(self, "LinksUrl", value=links.url)
        cdk.CfnOutput(self, "ReservationsTableName", value=reservations.table_name)
