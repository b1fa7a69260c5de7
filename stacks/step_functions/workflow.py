"""The order workflow: its states in the order in which an order passes them."""

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

# Where a catcher puts what went wrong: beside the order, with an Error and a Cause.
FAILURE = "$.failure"


class OrderWorkflow(Construct):
    """The definition of a state machine with every type of state, from an order to its payment.

    The input is ``{"items": [{"sku", "quantity", "unit_price"}], "card"}``, prices in whole
    dollars; the execution's name is the order's id. Whatever fails once items are reserved is
    caught, all items are released, and then the execution fails.

    It is written in JSONPath, the language of ``$$.Task.Token``, ``Result`` and ``ResultPath``.

    Args:
        pricing: An EXPRESS machine that takes the items and returns their total, a number.
        approval_limit: Orders up to this total need no approval.
        approvals: Gets what a person needs to decide on a larger one.
        approval_timeout: How long the workflow waits for that person, up to a year.
        links: The address of the API whose ``/approve`` and ``/reject`` take the token.
        reservations: A table with the keys ``order_id`` and ``sku``.
        charge_card: A function that takes ``order_id``, ``total`` and ``card``.
        pause: How long a customer may change their mind, and how long packing takes.
    """

    definition: sfn.Chain

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        pricing: sfn.IStateMachine,
        approval_limit: int,
        approvals: sqs.IQueue,
        approval_timeout: cdk.Duration,
        links: str,
        reservations: dynamodb.ITableV2,
        charge_card: lambda_.IFunction,
        pause: cdk.Duration,
    ) -> None:
        super().__init__(scope, construct_id)

        terms = sfn.Pass(
            self,
            "Terms",
            result=sfn.Result.from_object({"currency": "USD", "approval_limit": approval_limit}),
            result_path="$.terms",
        )
        price = self._price(pricing)
        reserve = self._reserve(reservations)
        nothing_to_pay = sfn.Succeed(self, "NothingToPay")
        ask = self._ask_for_approval(approvals, approval_timeout, links)
        reconsider = sfn.Wait(self, "Reconsider", time=sfn.WaitTime.duration(pause))
        settle = (
            sfn.Parallel(self, "Settle", result_path="$.settled")
            .branch(self._charge(charge_card))
            .branch(
                sfn.Wait(self, "Pack", time=sfn.WaitTime.duration(pause)).next(
                    sfn.Pass(self, "Packed", result=sfn.Result.from_object({"packed": True}))
                )
            )
        )
        compensate = self._compensation(reservations)
        for step in (reserve, ask, settle):
            step.add_catch(compensate, result_path=FAILURE)

        is_free = sfn.Condition.number_equals("$.price.total", 0)
        is_small = sfn.Condition.number_less_than_equals_json_path(
            "$.price.total", "$.terms.approval_limit"
        )
        pay = reconsider.next(settle)
        self.definition = (
            terms.next(price)
            .next(reserve)
            .next(
                sfn.Choice(self, "HowMuch")
                .when(is_free, nothing_to_pay)
                .when(is_small, pay)
                # The default is the careful one: what is not known to be small asks a person.
                .otherwise(ask.next(pay))
            )
        )

    def _price(self, pricing: sfn.IStateMachine) -> sfn.TaskStateBase:
        # states:startExecution.sync, the usual way to run a machine from another, polls what it
        # started, and executions of EXPRESS machines cannot be asked for.
        return tasks.CallAwsService(
            self,
            "Price",
            service="sfn",
            action="startSyncExecution",
            parameters={
                "StateMachineArn": pricing.state_machine_arn,
                "Input": sfn.JsonPath.json_to_string(sfn.JsonPath.object_at("$.items")),
            },
            iam_action="states:StartSyncExecution",
            iam_resources=[pricing.state_machine_arn],
            # Without a price there is no Output, and the execution fails here, uncaught: nothing
            # is reserved yet.
            result_selector={
                "total": sfn.JsonPath.string_to_json(sfn.JsonPath.string_at("$.Output"))
            },
            result_path="$.price",
        )

    def _reserve(self, reservations: dynamodb.ITableV2) -> sfn.Map:
        return sfn.Map(
            self,
            "ReserveItems",
            items_path="$.items",
            item_selector={
                "position": sfn.JsonPath.number_at("$$.Map.Item.Index"),
                "order_id": sfn.JsonPath.execution_name,
                "sku": sfn.JsonPath.string_at("$$.Map.Item.Value.sku"),
                "quantity": sfn.JsonPath.number_at("$$.Map.Item.Value.quantity"),
            },
            max_concurrency=2,
            result_path="$.reserved",
        ).item_processor(
            tasks.DynamoPutItem(
                self,
                "ReserveItem",
                table=reservations,
                item={
                    **_reservation_key(),
                    "quantity": tasks.DynamoAttributeValue.number_from_string(
                        # DynamoDB takes numbers as strings.
                        sfn.JsonPath.format("{}", sfn.JsonPath.string_at("$.quantity"))
                    ),
                },
                result_path=sfn.JsonPath.DISCARD,
            )
        )

    def _ask_for_approval(
        self, approvals: sqs.IQueue, timeout: cdk.Duration, links: str
    ) -> sfn.TaskStateBase:
        return tasks.SqsSendMessage(
            self,
            "AskForApproval",
            queue=approvals,
            integration_pattern=sfn.IntegrationPattern.WAIT_FOR_TASK_TOKEN,
            message_body=sfn.TaskInput.from_object(
                {
                    "order_id": sfn.JsonPath.execution_name,
                    "total": sfn.JsonPath.number_at("$.price.total"),
                    "task_token": sfn.JsonPath.task_token,
                    # To be completed with the token, percent-encoded: JSONPath has no function
                    # for that.
                    "approve": f"{links}/approve?token=",
                    "reject": f"{links}/reject?token=",
                }
            ),
            task_timeout=sfn.Timeout.duration(timeout),
            result_path="$.approval",
        )

    def _charge(self, charge_card: lambda_.IFunction) -> sfn.TaskStateBase:
        charge = tasks.LambdaInvoke(
            self,
            "ChargeCard",
            lambda_function=charge_card,
            payload=sfn.TaskInput.from_object(
                {
                    "order_id": sfn.JsonPath.execution_name,
                    "total": sfn.JsonPath.number_at("$.price.total"),
                    "card": sfn.JsonPath.string_at("$.card"),
                }
            ),
            result_selector={"receipt": sfn.JsonPath.string_at("$.Payload.receipt")},
            # States.TaskFailed below names Lambda's own errors too.
            retry_on_service_exceptions=False,
        )
        # The first retrier that names an error decides: a declined card is not tried again.
        charge.add_retry(errors=["CardDeclinedError"], max_attempts=0)
        charge.add_retry(
            errors=[sfn.Errors.TASKS_FAILED],
            max_attempts=2,
            interval=cdk.Duration.seconds(1),
            backoff_rate=1,
        )
        return charge

    def _compensation(self, reservations: dynamodb.ITableV2) -> sfn.Chain:
        release = sfn.Map(
            self,
            "ReleaseItems",
            items_path="$.items",
            item_selector={
                "order_id": sfn.JsonPath.execution_name,
                "sku": sfn.JsonPath.string_at("$$.Map.Item.Value.sku"),
            },
            max_concurrency=2,
            result_path=sfn.JsonPath.DISCARD,
        ).item_processor(
            tasks.DynamoDeleteItem(
                self, "ReleaseItem", table=reservations, key=_reservation_key()
            ).add_retry(max_attempts=5)
        )
        error = f"{FAILURE}.Error"
        return release.next(
            sfn.Choice(self, "WhatFailed")
            .when(
                sfn.Condition.string_equals(error, "OrderRejected"),
                sfn.Fail(
                    self,
                    "Rejected",
                    error="OrderRejected",
                    cause="A person rejected the order. Its items are free again.",
                ),
            )
            .when(
                sfn.Condition.string_equals(error, sfn.Errors.TIMEOUT),
                sfn.Fail(
                    self,
                    "Unanswered",
                    error="ApprovalTimedOut",
                    cause="Nobody answered in time. The order's items are free again.",
                ),
            )
            .otherwise(sfn.Fail(self, "Failed", error_path=error, cause_path=f"{FAILURE}.Cause"))
        )


def _reservation_key() -> dict[str, tasks.DynamoAttributeValue]:
    return {
        name: tasks.DynamoAttributeValue.from_string(sfn.JsonPath.string_at(f"$.{name}"))
        for name in ("order_id", "sku")
    }
