"""What must stay true of the sqs blueprint; the snapshot shows whatever else changed."""

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.assembly import Assembly, StackTemplate


def test_snapshot(assembly: Assembly, snapshot: SnapshotAssertion) -> None:
    assert assembly.stacks["sqs"].body == snapshot


@pytest.fixture
def sqs(sandbox: Assembly) -> StackTemplate:
    return sandbox.stacks["sqs"]


@pytest.mark.concept("sqs.decouple")
def test_the_producer_may_only_send_and_the_consumer_only_receive(sqs: StackTemplate) -> None:
    orders = sqs.att("Orders")

    assert sqs.allowed("PlaceOrderRole", orders) == {"sqs:SendMessage"}
    consumer = sqs.allowed("FulfilOrderRole", orders)
    assert {"sqs:ReceiveMessage", "sqs:DeleteMessage"} <= consumer
    assert "sqs:SendMessage" not in consumer


@pytest.mark.concept("sqs.message-size")
def test_a_queue_takes_a_mebibyte_and_another_one_only_a_kibibyte(sqs: StackTemplate) -> None:
    assert sqs["Orders"]["MaximumMessageSize"] == 1_048_576
    assert sqs["Quotes"]["MaximumMessageSize"] == 1024


@pytest.mark.concept("sqs.retention")
def test_messages_are_kept_a_minute_four_days_or_fourteen(sqs: StackTemplate) -> None:
    assert sqs["Quotes"]["MessageRetentionPeriod"] == 60
    assert "MessageRetentionPeriod" not in sqs["Orders"], "SQS's default is four days"
    assert sqs["DeadLetters"]["MessageRetentionPeriod"] == 14 * 24 * 3600


@pytest.mark.concept("sqs.poll-and-delete")
def test_the_consumer_takes_ten_messages_at_a_time(sqs: StackTemplate) -> None:
    mapping = sqs["FulfilOrder/Consumer"]

    assert mapping["EventSourceArn"] == sqs.att("Orders")
    assert mapping["BatchSize"] == 10


def test_a_failed_order_does_not_repeat_its_batch(sqs: StackTemplate) -> None:
    assert sqs["FulfilOrder/Consumer"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.concept("sqs.visibility-timeout")
def test_orders_stay_hidden_six_times_as_long_as_their_consumer_may_take(
    sqs: StackTemplate,
) -> None:
    assert sqs["Orders"]["VisibilityTimeout"] >= 6 * sqs["FulfilOrder"]["Timeout"]


@pytest.mark.concept("sqs.dead-letter-queue")
def test_an_order_received_three_times_is_set_aside_and_raises_an_alarm(
    sqs: StackTemplate,
) -> None:
    assert sqs["Orders"]["RedrivePolicy"] == {
        "deadLetterTargetArn": sqs.att("DeadLetters"),
        "maxReceiveCount": 3,
    }

    allow = sqs["DeadLetters"]["RedriveAllowPolicy"]
    assert allow["redrivePermission"] == "byQueue"
    [source] = allow["sourceQueueArns"]
    assert source["Fn::Join"][1][-1] == f":{sqs['Orders']['QueueName']}"

    alarm = sqs["OrdersSetAside"]
    assert alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert alarm["Dimensions"] == [
        {"Name": "QueueName", "Value": sqs.att("DeadLetters", "QueueName")}
    ]
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)


@pytest.mark.concept("sqs.standard-order-and-duplicates")
def test_only_the_fifo_queue_drops_duplicates_so_the_consumer_remembers(
    sqs: StackTemplate,
) -> None:
    assert sqs["Parcels"]["FifoQueue"] is True
    assert sqs["Parcels"]["ContentBasedDeduplication"] is True
    assert not {"FifoQueue", "ContentBasedDeduplication"} & sqs["Orders"].keys()

    assert sqs["Fulfilled"]["TimeToLiveSpecification"] == {
        "AttributeName": "expires_at",
        "Enabled": True,
    }
    assert sqs.allowed("FulfilOrderRole", sqs.att("Fulfilled")) == {"dynamodb:PutItem"}
    assert sqs["FulfilOrder"]["Environment"]["Variables"]["TABLE_NAME"] == sqs.ref("Fulfilled")


@pytest.mark.concept("sqs.delay-queue")
def test_reminders_are_delayed(sqs: StackTemplate) -> None:
    assert sqs["Reminders"]["DelaySeconds"] > 0


@pytest.mark.concept("sqs.long-polling")
def test_receivers_of_orders_wait_as_long_as_sqs_allows(sqs: StackTemplate) -> None:
    assert sqs["Orders"]["ReceiveMessageWaitTimeSeconds"] == 20


@pytest.mark.concept("sqs.message-group-id")
def test_at_most_two_batches_of_orders_are_fulfilled_at_once(sqs: StackTemplate) -> None:
    assert sqs["FulfilOrder/Consumer"]["ScalingConfig"] == {"MaximumConcurrency": 2}


def test_messages_travel_over_tls_only(sqs: StackTemplate) -> None:
    refused = [
        queue
        for policy in sqs.of_type("AWS::SQS::QueuePolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        for queue in policy["Queues"]
    ]

    assert sorted(queue["Ref"] for queue in refused) == sorted(sqs.of_type("AWS::SQS::Queue"))


def test_production_keeps_the_memory_of_fulfilled_orders(
    sqs: StackTemplate, production: Assembly
) -> None:
    def policy(stack: StackTemplate) -> str:
        return str(stack.body["Resources"][stack.logical_id("Fulfilled")]["DeletionPolicy"])

    assert policy(sqs) == "Delete"
    assert policy(production.stacks["sqs"]) == "Retain"
