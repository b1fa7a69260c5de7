"""See the queues work: ``make rehearse BLUEPRINT=sqs``, or ``make exercise`` once on AWS."""

import contextlib
import json
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.fixtures import Client, Eventually, Invoke, Wait

KIBIBYTE = 1024
MEBIBYTE = 1024 * KIBIBYTE

Order = dict[str, Any]


class Queue:
    """A deployed queue, for the length of a test: what it received is deleted in the end."""

    def __init__(self, sqs: Any, url: str) -> None:
        """Open the queue at ``url``."""
        self.sqs, self.url = sqs, url
        self.taken: dict[str, dict[str, Any]] = {}

    def send(self, *bodies: str, **options: Any) -> None:
        """Send each body as a message of its own."""
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.url, MessageBody=body, **options)

    def receive(self, **options: Any) -> list[dict[str, Any]]:
        """Poll once for up to ten messages, without waiting unless ``WaitTimeSeconds`` is given."""
        defaults = {
            "MaxNumberOfMessages": 10,
            "WaitTimeSeconds": 0,
            "MessageSystemAttributeNames": ["All"],
        }
        answer = self.sqs.receive_message(QueueUrl=self.url, **{**defaults, **options})
        messages: list[dict[str, Any]] = answer.get("Messages", [])
        self.taken |= {message["MessageId"]: message for message in messages}
        return messages

    def delete(self, *messages: dict[str, Any]) -> None:
        """Delete received messages."""
        for message in messages:
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
            self.taken.pop(message["MessageId"], None)

    def waiting(self) -> int:
        """How many messages could be received now, approximately."""
        return self._depth("ApproximateNumberOfMessages")

    def unfinished(self) -> int:
        """How many messages wait, are delayed or are being worked on, approximately."""
        return (
            self.waiting()
            + self._depth("ApproximateNumberOfMessagesNotVisible")
            + self._depth("ApproximateNumberOfMessagesDelayed")
        )

    def _depth(self, attribute: str) -> int:
        answer = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=[attribute])
        return int(answer["Attributes"][attribute])

    def close(self) -> None:
        """Delete what the test received, and what it sent and never received."""
        self.delete(*list(self.taken.values()))
        # SQS purges a queue once a minute at most.
        with contextlib.suppress(self.sqs.exceptions.PurgeQueueInProgress):
            self.sqs.purge_queue(QueueUrl=self.url)


Open = Callable[[str], Queue]


@pytest.fixture
def open_queue(client: Client, outputs: dict[str, str]) -> Iterator[Open]:
    """Open queues by the name of their output."""
    with contextlib.ExitStack() as stack:

        def open_(output: str) -> Queue:
            queue = Queue(client("sqs"), outputs[output])
            stack.callback(queue.close)
            return queue

        yield open_


@pytest.fixture
def quotes(open_queue: Open) -> Queue:
    """A standard queue without a consumer."""
    return open_queue("QuotesUrl")


@pytest.fixture
def parcels(open_queue: Open) -> Queue:
    """The FIFO queue."""
    return open_queue("ParcelsUrl")


@pytest.fixture
def order_id() -> str:
    """An id that no other run has used."""
    return f"order-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def place(invoke: Invoke, outputs: dict[str, str]) -> Callable[[Order], None]:
    """Place an order through the function that knows nothing but the queue."""
    return lambda order: invoke(outputs["PlaceOrderName"], **order)


@pytest.fixture
def fulfilled(client: Client, outputs: dict[str, str]) -> Callable[[str], Order | None]:
    """What the consumer remembers of an order, None before it is fulfilled."""

    def look(order_id: str) -> Order | None:
        item: Order | None = (
            client("dynamodb")
            .get_item(
                TableName=outputs["FulfilledTableName"],
                Key={"order_id": {"S": order_id}},
                ConsistentRead=True,
            )
            .get("Item")
        )
        return item

    return look


@pytest.fixture
def consumer_off(
    client: Client, outputs: dict[str, str], eventually: Eventually
) -> Iterator[Callable[[], None]]:
    """The consumer is switched off until the test calls this, or ends."""
    lambda_ = client("lambda")

    def switch(enabled: bool) -> None:
        lambda_.update_event_source_mapping(UUID=outputs["ConsumerId"], Enabled=enabled)
        state = "Enabled" if enabled else "Disabled"
        eventually(
            lambda: lambda_.get_event_source_mapping(UUID=outputs["ConsumerId"])["State"] == state,
            within=180,
        )

    switch(False)
    yield lambda: switch(True)
    switch(True)


@pytest.mark.concept("sqs.decouple")
def test_orders_wait_while_their_consumer_is_off(
    open_queue: Open,
    consumer_off: Callable[[], None],
    place: Callable[[Order], None],
    fulfilled: Callable[[str], Order | None],
    order_id: str,
    eventually: Eventually,
) -> None:
    orders = open_queue("OrdersUrl")
    place({"order_id": order_id})
    eventually(lambda: orders.waiting() == 1)
    assert not fulfilled(order_id)

    consumer_off()  # on again
    eventually(lambda: fulfilled(order_id))


@pytest.mark.concept("sqs.dead-letter-queue")
def test_a_poison_order_is_set_aside_and_its_batch_is_fulfilled(
    open_queue: Open,
    fulfilled: Callable[[str], Order | None],
    order_id: str,
    eventually: Eventually,
    wait: Wait,
) -> None:
    orders, dead_letters = open_queue("OrdersUrl"), open_queue("DeadLettersUrl")
    good = [f"{order_id}-{n}" for n in range(3)]
    orders.send(*(json.dumps({"order_id": name}) for name in good), f"poison {order_id}")
    eventually(lambda: all(fulfilled(name) for name in good))

    def set_aside() -> list[dict[str, Any]]:
        wait(30)  # until the poison order is visible again
        return dead_letters.receive()

    [poison] = eventually(set_aside, within=300)
    assert poison["Body"] == f"poison {order_id}"
    # Three receives by the consumer, and this one.
    assert poison["Attributes"]["ApproximateReceiveCount"] == "4"


@pytest.mark.aws_only
@pytest.mark.concept("sqs.dead-letter-queue")
def test_dead_letters_can_be_sent_back_to_where_they_came_from(
    open_queue: Open,
    client: Client,
    consumer_off: Callable[[], None],
    order_id: str,
    eventually: Eventually,
) -> None:
    orders, dead_letters = open_queue("OrdersUrl"), open_queue("DeadLettersUrl")
    # Only what SQS itself set aside knows its source: receive the order until that happens.
    orders.send(f"poison {order_id}")
    for _ in range(3):
        eventually(lambda: orders.receive(VisibilityTimeout=0))
    orders.receive()
    eventually(lambda: dead_letters.waiting() == 1, within=120)

    attributes = client("sqs").get_queue_attributes(
        QueueUrl=dead_letters.url, AttributeNames=["QueueArn"]
    )["Attributes"]
    client("sqs").start_message_move_task(SourceArn=attributes["QueueArn"])

    [back] = eventually(lambda: orders.receive(), within=120)
    assert back["Body"] == f"poison {order_id}"


@pytest.mark.concept("sqs.message-size")
def test_a_message_may_have_a_mebibyte_and_not_one_byte_more(parcels: Queue) -> None:
    for size in (300 * KIBIBYTE, MEBIBYTE):
        parcels.send("x" * size, MessageGroupId="large")

    with pytest.raises(ClientError, match="InvalidParameterValue"):
        parcels.send("x" * (MEBIBYTE + 1), MessageGroupId="large")


@pytest.mark.concept("sqs.message-size")
def test_a_queue_may_set_a_lower_limit(quotes: Queue) -> None:
    quotes.send("x" * KIBIBYTE)
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        quotes.send("x" * (KIBIBYTE + 1))


@pytest.mark.concept("sqs.retention")
def test_a_message_nobody_receives_is_gone_after_the_retention_period(
    quotes: Queue, eventually: Eventually, wait: Wait
) -> None:
    quotes.send("42.00")
    eventually(lambda: quotes.waiting() == 1)

    wait(65)
    assert quotes.receive() == []


@pytest.mark.concept("sqs.poll-and-delete")
def test_a_poll_takes_up_to_ten_messages_and_only_the_undeleted_return(
    quotes: Queue, eventually: Eventually
) -> None:
    quotes.send(*(str(n) for n in range(15)))
    with pytest.raises(ClientError, match="MaxNumberOfMessages"):
        quotes.receive(MaxNumberOfMessages=11)

    first = eventually(lambda: quotes.receive())
    assert len(first) <= 10
    deleted = {message["Body"] for message in first}
    quotes.delete(*first)

    left: set[str] = set()

    def all_seen() -> bool:
        left.update(message["Body"] for message in quotes.receive())
        return len(left) == 15 - len(first)

    eventually(all_seen)
    assert left == {str(n) for n in range(15)} - deleted


@pytest.mark.concept("sqs.visibility-timeout")
def test_a_received_message_is_hidden_and_comes_back_when_its_timeout_ends(
    quotes: Queue, wait: Wait, eventually: Eventually
) -> None:
    quotes.send("hide and seek")

    assert len(eventually(lambda: quotes.receive(VisibilityTimeout=1))) == 1
    assert quotes.receive() == []
    wait(1)
    [again] = eventually(lambda: quotes.receive(VisibilityTimeout=30))
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"

    quotes.sqs.change_message_visibility(
        QueueUrl=quotes.url, ReceiptHandle=again["ReceiptHandle"], VisibilityTimeout=0
    )
    [third] = eventually(lambda: quotes.receive())
    assert third["Attributes"]["ApproximateReceiveCount"] == "3"


@pytest.mark.concept("sqs.standard-order-and-duplicates")
def test_fifo_drops_the_second_copy_that_a_standard_queue_delivers(
    quotes: Queue, parcels: Queue, order_id: str, eventually: Eventually
) -> None:
    for _ in range(2):
        quotes.send(order_id)
        parcels.send(order_id, MessageGroupId="ada")

    copies: list[str] = []

    def both_arrived() -> bool:
        copies.extend(message["Body"] for message in quotes.receive())
        return len(copies) == 2

    eventually(both_arrived)
    assert copies == [order_id, order_id]

    assert len(eventually(lambda: parcels.receive(VisibilityTimeout=1))) == 1
    # Nor does FIFO mean "processed once": what is not deleted in time is delivered again.
    [again] = eventually(lambda: parcels.receive())
    assert again["Attributes"]["ApproximateReceiveCount"] == "2"


@pytest.mark.concept("sqs.standard-order-and-duplicates")
def test_an_order_delivered_twice_is_fulfilled_once(
    open_queue: Open,
    place: Callable[[Order], None],
    fulfilled: Callable[[str], Order | None],
    order_id: str,
    eventually: Eventually,
) -> None:
    orders = open_queue("OrdersUrl")
    place({"order_id": order_id})
    first = eventually(lambda: fulfilled(order_id))
    time.sleep(1.1)  # a second fulfilment would be remembered a second longer

    place({"order_id": order_id})
    eventually(lambda: orders.unfinished() == 0)
    assert fulfilled(order_id) == first


@pytest.mark.concept("sqs.delay-queue")
def test_a_delayed_message_appears_only_after_its_delay(
    open_queue: Open, wait: Wait, eventually: Eventually
) -> None:
    reminders = open_queue("RemindersUrl")
    reminders.send("later")

    assert reminders.receive() == []
    wait(1)
    [message] = eventually(lambda: reminders.receive())
    assert message["Body"] == "later"


@pytest.mark.concept("sqs.long-polling")
def test_a_long_poll_waits_for_a_message_and_a_short_one_does_not(open_queue: Open) -> None:
    reminders = open_queue("RemindersUrl")

    def timed(seconds: int) -> tuple[float, list[str]]:
        started = time.monotonic()
        messages = reminders.receive(WaitTimeSeconds=seconds)
        return time.monotonic() - started, [message["Body"] for message in messages]

    elapsed, bodies = timed(0)
    assert elapsed < 1
    assert bodies == []

    reminders.send("in the middle of the wait", DelaySeconds=1)
    elapsed, bodies = timed(5)
    assert 0.9 < elapsed < 4.5
    assert bodies == ["in the middle of the wait"]

    elapsed, bodies = timed(1)
    assert elapsed > 0.9
    assert bodies == []


@pytest.mark.concept("sqs.message-group-id")
def test_a_group_is_served_in_order_one_message_at_a_time(
    parcels: Queue, order_id: str, eventually: Eventually
) -> None:
    ada, bob = f"ada {order_id}", f"bob {order_id}"
    parcels.send(f"{ada} 1", f"{ada} 2", MessageGroupId=ada)
    parcels.send(f"{bob} 1", MessageGroupId=bob)

    [first] = eventually(lambda: parcels.receive(MaxNumberOfMessages=1))
    assert first["Body"] == f"{ada} 1"
    assert [message["Body"] for message in parcels.receive()] == [f"{bob} 1"]

    parcels.delete(first)
    [second] = eventually(lambda: parcels.receive())
    assert second["Body"] == f"{ada} 2"
