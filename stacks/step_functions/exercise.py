"""See orders take their way: ``make rehearse BLUEPRINT=step-functions``, or ``make exercise``."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from rehearsal.fixtures import Client, Eventually, Fetch, Wait

Message = dict[str, Any]

TWO_PAPERS_AND_A_PEN = [
    {"sku": "paper", "quantity": 2, "unit_price": 10},
    {"sku": "pen", "quantity": 1, "unit_price": 5},
    {"sku": "atlas", "quantity": 1, "unit_price": 40},
]
"""Worth 65, which needs no approval."""


class Order:
    """An execution of the workflow, and what it has reserved."""

    def __init__(
        self, client: Client, outputs: dict[str, str], eventually: Eventually, **order: Any
    ) -> None:
        """Start the execution."""
        self.stepfunctions, self.dynamodb = client("stepfunctions"), client("dynamodb")
        self.table, self.eventually = outputs["ReservationsTableName"], eventually
        self.id = f"order-{uuid.uuid4().hex[:12]}"
        self.arn = self.stepfunctions.start_execution(
            stateMachineArn=outputs["OrdersArn"], name=self.id, input=json.dumps(order)
        )["executionArn"]

    @property
    def status(self) -> str:
        """RUNNING, SUCCEEDED, FAILED, ..."""
        return str(self.stepfunctions.describe_execution(executionArn=self.arn)["status"])

    def end(self, within: float = 60) -> dict[str, Any]:
        """The description of the execution, once it is over and its history says so too."""
        self.eventually(lambda: self.status != "RUNNING", within=within)
        self.eventually(lambda: self.happened(f"Execution{self.status.capitalize()}"))
        description: dict[str, Any] = self.stepfunctions.describe_execution(executionArn=self.arn)
        return description

    def output(self) -> dict[str, Any]:
        """What the workflow made of the order."""
        end = self.end()
        assert end["status"] == "SUCCEEDED", end
        output: dict[str, Any] = json.loads(end["output"])
        return output

    def history(self) -> list[dict[str, Any]]:
        """All events until now."""
        pages = self.stepfunctions.get_paginator("get_execution_history").paginate(
            executionArn=self.arn
        )
        return [event for page in pages for event in page["events"]]

    def happened(self, event_type: str) -> int:
        """How many events of a type there are."""
        return sum(event["type"] == event_type for event in self.history())

    def entered(self, state: str) -> list[dict[str, Any]]:
        """The events of this state's being entered, one if the order came by."""
        return [
            event
            for event in self.history()
            if event.get("stateEnteredEventDetails", {}).get("name") == state
        ]

    def exited(self, state: str) -> list[dict[str, Any]]:
        """The events of this state's being left."""
        return [
            event
            for event in self.history()
            if event.get("stateExitedEventDetails", {}).get("name") == state
        ]

    def reserved(self) -> dict[str, int]:
        """The quantities that are reserved for this order, by SKU."""
        items = self.dynamodb.query(
            TableName=self.table,
            KeyConditionExpression="order_id = :id",
            ExpressionAttributeValues={":id": {"S": self.id}},
            ConsistentRead=True,
        )["Items"]
        return {item["sku"]["S"]: int(item["quantity"]["N"]) for item in items}

    def forget(self) -> None:
        """Stop the execution if it runs, and release its items. AWS keeps the rest for 90 days."""
        if self.status == "RUNNING":
            self.stepfunctions.stop_execution(executionArn=self.arn)
        for sku in self.reserved():
            self.dynamodb.delete_item(
                TableName=self.table, Key={"order_id": {"S": self.id}, "sku": {"S": sku}}
            )


Place = Callable[..., Order]
Ask = Callable[[Order], Message]


@pytest.fixture(scope="module")
def place(client: Client, outputs: dict[str, str], eventually: Eventually) -> Iterator[Place]:
    """Place an order: its items, the card to charge."""
    placed = []

    def start(items: list[dict[str, Any]], card: str = "good") -> Order:
        placed.append(Order(client, outputs, eventually, items=items, card=card))
        return placed[-1]

    yield start
    for order in placed:
        order.forget()


@pytest.fixture(scope="module")
def small(place: Place) -> Order:
    """An order of three items that needs no approval."""
    return place(TWO_PAPERS_AND_A_PEN)


@pytest.fixture(scope="module")
def unpaid(place: Place) -> Order:
    """An order whose payment fails, whatever is tried."""
    return place(TWO_PAPERS_AND_A_PEN, card="unavailable")


@pytest.fixture(scope="module", autouse=True)
def placed_at_once(small: Order, unpaid: Order) -> None:
    """Both are on their way while the first tests look at other orders."""


@pytest.fixture
def large(place: Place) -> Order:
    """An order of 500, which waits for a person."""
    return place([{"sku": "globe", "quantity": 5, "unit_price": 100}])


@pytest.fixture
def asked(client: Client, outputs: dict[str, str], eventually: Eventually) -> Ask:
    """The message that asks a person about an order."""
    sqs, url = client("sqs"), outputs["ApprovalsUrl"]

    def receive(order: Order) -> Message | None:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=1)
        for message in answer.get("Messages", []):
            body: Message = json.loads(message["Body"])
            if body["order_id"] == order.id:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                return body
        return None

    return lambda order: eventually(lambda: receive(order))


def link(message: Message, answer: str) -> str:
    """The link to click on, as one would mail it."""
    return str(message[answer]) + quote(message["task_token"], safe="")


@pytest.mark.concept("step-functions.choice")
def test_only_a_large_order_stops_to_ask(
    place: Place, large: Order, eventually: Eventually
) -> None:
    cheap = place([{"sku": "pen", "quantity": 1, "unit_price": 5}])

    eventually(lambda: cheap.entered("Reconsider"))
    assert not cheap.entered("AskForApproval")
    eventually(lambda: large.entered("AskForApproval"))
    assert not large.entered("Reconsider")


@pytest.mark.concept("step-functions.succeed")
def test_an_order_without_a_price_succeeds_early(place: Place) -> None:
    order = place([{"sku": "flyer", "quantity": 3, "unit_price": 0}])

    assert order.output()["price"] == {"total": 0}
    assert order.entered("NothingToPay")
    assert not order.entered("Reconsider")


@pytest.mark.concept("step-functions.human-approval")
def test_opening_the_link_approves_the_order_once(
    large: Order, asked: Ask, fetch: Fetch, eventually: Eventually
) -> None:
    approve = link(asked(large), "approve")

    answer = fetch(approve)
    assert (answer.status, answer.body) == (200, "Thank you. The order goes on.\n")
    eventually(lambda: large.entered("Reconsider"))
    assert eventually(lambda: fetch(approve).status == 410)


@pytest.mark.concept("step-functions.human-approval", "step-functions.fail")
def test_opening_the_other_link_rejects_it_and_releases_its_items(
    large: Order, asked: Ask, fetch: Fetch
) -> None:
    assert fetch(link(asked(large), "reject")).status == 200

    end = large.end()
    assert (end["status"], end["error"]) == ("FAILED", "OrderRejected")
    assert end["cause"] == "A person rejected the order. Its items are free again."
    assert large.reserved() == {}


@pytest.mark.concept("step-functions.human-approval")
@pytest.mark.parametrize("answer", ["approve", "reject"])
def test_a_link_without_its_token_answers_nothing(
    outputs: dict[str, str], fetch: Fetch, answer: str
) -> None:
    assert fetch(f"{outputs['LinksUrl']}/{answer}").status == 400
    assert fetch(f"{outputs['LinksUrl']}/{answer}?token=guessed").status in (404, 410)


@pytest.mark.concept("step-functions.task-token")
def test_a_workflow_waits_for_its_token_and_goes_on_with_what_comes_with_it(
    large: Order, asked: Ask, client: Client
) -> None:
    message = asked(large)
    assert message["total"] == 500
    assert large.status == "RUNNING"

    client("stepfunctions").send_task_success(
        taskToken=message["task_token"], output='{"decision": "approved by phone"}'
    )
    output = large.output()
    assert output["approval"] == {"decision": "approved by phone"}
    assert output["settled"][0] == {"receipt": f"receipt-{large.id}"}


@pytest.mark.concept("step-functions.task-token")
def test_a_token_can_come_back_with_a_failure(large: Order, asked: Ask, client: Client) -> None:
    client("stepfunctions").send_task_failure(
        taskToken=asked(large)["task_token"], error="Fraud", cause="The card was stolen."
    )

    end = large.end()
    assert (end["status"], end["error"]) == ("FAILED", "Fraud")
    assert end["cause"] == "The card was stolen."
    assert large.reserved() == {}


@pytest.mark.concept("step-functions.task-token")
def test_an_order_that_nobody_answers_is_given_up(
    large: Order, asked: Ask, fetch: Fetch, wait: Wait
) -> None:
    message = asked(large)
    assert large.reserved() == {"globe": 5}

    wait(60)
    end = large.end()
    assert (end["status"], end["error"]) == ("FAILED", "ApprovalTimedOut")
    assert large.reserved() == {}
    assert fetch(link(message, "approve")).status == 410


@pytest.mark.concept("step-functions.state-machine")
def test_an_order_enters_and_leaves_one_state_after_another(small: Order) -> None:
    way = ["Terms", "Price", "ReserveItems", "HowMuch", "Reconsider", "Settle"]
    small.end()

    seen = []
    for event in small.history():
        for happened in ("Entered", "Exited"):
            name = event.get(f"state{happened}EventDetails", {}).get("name")
            if name in way:
                seen.append(f"{happened} {name}")
    assert seen == [f"{happened} {name}" for name in way for happened in ("Entered", "Exited")]


@pytest.mark.concept("step-functions.pass")
def test_the_terms_are_the_same_for_every_order(small: Order) -> None:
    assert small.output()["terms"] == {"currency": "USD", "approval_limit": 100}


@pytest.mark.concept("step-functions.state-machine")
def test_the_express_machine_beside_it_adds_up_the_price(small: Order) -> None:
    assert small.output()["price"] == {"total": 65}


@pytest.mark.concept("step-functions.map")
def test_three_items_are_reserved_and_reported_in_the_order_in_which_they_were_given(
    small: Order,
) -> None:
    assert small.output()["reserved"] == [
        {"position": n, "order_id": small.id, "sku": item["sku"], "quantity": item["quantity"]}
        for n, item in enumerate(TWO_PAPERS_AND_A_PEN)
    ]
    assert small.reserved() == {"paper": 2, "pen": 1, "atlas": 1}


@pytest.mark.concept("step-functions.wait")
def test_the_customer_has_as_long_as_promised_to_reconsider(
    small: Order, client: Client, outputs: dict[str, str]
) -> None:
    machine = client("stepfunctions").describe_state_machine(stateMachineArn=outputs["OrdersArn"])
    promised = json.loads(machine["definition"])["States"]["Reconsider"]["Seconds"]
    small.end()

    [entered], [exited] = small.entered("Reconsider"), small.exited("Reconsider")
    waited = exited["timestamp"] - entered["timestamp"]
    # Timestamps are cut to the millisecond.
    assert waited.total_seconds() > promised - 0.01


@pytest.mark.concept("step-functions.parallel")
def test_charging_and_packing_both_report_in_their_places(small: Order) -> None:
    assert small.output()["settled"] == [{"receipt": f"receipt-{small.id}"}, {"packed": True}]


@pytest.mark.concept("step-functions.parallel")
def test_a_payment_that_keeps_failing_is_retried_then_compensated(unpaid: Order) -> None:
    end = unpaid.end()

    assert end["status"] == "FAILED"
    assert "the payment provider does not answer" in end["cause"]
    assert unpaid.happened("TaskFailed") == 3
    assert unpaid.entered("ReleaseItems")
    assert unpaid.reserved() == {}


@pytest.mark.aws_only  # The emulator runs the other branch to its end, and names no error by class.
@pytest.mark.concept("step-functions.parallel")
def test_a_declined_card_is_not_retried_and_stops_the_packing(place: Place) -> None:
    order = place(TWO_PAPERS_AND_A_PEN, card="declined")
    end = order.end()

    assert (end["status"], end["error"]) == ("FAILED", "CardDeclinedError")
    assert order.happened("TaskFailed") == 1
    assert order.happened("WaitStateAborted") == 1
    assert order.entered("Pack")
    assert not order.entered("Packed")
    assert order.reserved() == {}
