"""SQS: a queue between two functions, what it sets aside, and the other kinds of queue."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from patterns.lambda_ import PythonFunction
from patterns.validations import acknowledge

HANDLERS = Path(__file__).parent / "handlers"


class SqsStack(cdk.Stack):
    """Standard, FIFO, delay and dead-letter queues, and a consumer that reports single failures.

    An order travels from ``PlaceOrder`` through a queue to ``FulfilOrder``. The consumer remembers
    what it has fulfilled, because a standard queue may deliver a message twice. An order it cannot
    fulfil is set aside after three tries and raises an alarm, which tells nobody until you add an
    action to it. The other queues have no consumer: the exercise reads them by hand.

    Args:
        removal_policy: Of the table that remembers fulfilled orders.
        log_retention: Of the functions' logs.
    """

    orders: sqs.Queue
    dead_letters: sqs.Queue

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        removal_policy: cdk.RemovalPolicy,
        log_retention: logs.RetentionDays,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)

        consumer_timeout = cdk.Duration.seconds(5)
        # SQS wants the ARN of each of the two queues in the other. A name known in advance is the
        # only way out of that circle.
        orders_name = f"{self.stack_name}-orders"
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            enforce_ssl=True,
            # A message's age counts from when it was sent, not from when it was moved here: keep
            # it past the source queue's 4 days, for as long as SQS allows.
            retention_period=cdk.Duration.days(14),
            redrive_allow_policy=sqs.RedriveAllowPolicy(
                redrive_permission=sqs.RedrivePermission.BY_QUEUE,
                source_queues=[
                    sqs.Queue.from_queue_arn(
                        self,
                        "OrdersByName",
                        self.format_arn(service="sqs", resource=orders_name),
                    )
                ],
            ),
        )
        acknowledge(
            self.dead_letters,
            "Serverless::Serverless-SQSRedrivePolicy",
            reason="This is where redriven messages end; its alarm brings people, not a queue.",
        )
        self.orders = sqs.Queue(
            self,
            "Orders",
            queue_name=orders_name,
            enforce_ssl=True,
            max_message_size_bytes=1024 * 1024,
            receive_message_wait_time=cdk.Duration.seconds(20),
            # Lambda asks for six times the function's timeout, so that throttled batches are
            # retried before others see them:
            # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
            visibility_timeout=cdk.Duration.seconds(6 * consumer_timeout.to_seconds()),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=3),
        )

        place_order = PythonFunction(
            self,
            "PlaceOrder",
            source=HANDLERS / "place_order",
            timeout=cdk.Duration.seconds(5),
            log_retention=log_retention,
            environment={"QUEUE_URL": self.orders.queue_url},
        )
        # grant_send_messages() would also allow reading the queue's attributes.
        self.orders.grant(place_order, "sqs:SendMessage")

        fulfilled = dynamodb.TableV2(
            self,
            "Fulfilled",
            partition_key=dynamodb.Attribute(name="order_id", type=dynamodb.AttributeType.STRING),
            billing=dynamodb.Billing.on_demand(),
            time_to_live_attribute="expires_at",
            removal_policy=removal_policy,
        )
        fulfil_order = PythonFunction(
            self,
            "FulfilOrder",
            source=HANDLERS / "fulfil_order",
            timeout=consumer_timeout,
            log_retention=log_retention,
            environment={"TABLE_NAME": fulfilled.table_name},
        )
        fulfilled.grant(fulfil_order, "dynamodb:PutItem")
        self.orders.grant_consume_messages(fulfil_order)
        consumer = fulfil_order.add_event_source_mapping(
            "Consumer",
            event_source_arn=self.orders.queue_arn,
            batch_size=10,
            max_concurrency=2,
            # Otherwise one bad order sends its whole batch back to the queue.
            report_batch_item_failures=True,
        )
        acknowledge(
            consumer,
            "Serverless::Serverless-LambdaEventSourceMappingDestination",
            reason="SQS sources have none: the queue's own redrive policy sets failures aside.",
        )

        alarm = cloudwatch.Alarm(
            self,
            "OrdersSetAside",
            alarm_description="Orders wait in the dead-letter queue: nobody could fulfil them.",
            metric=self.dead_letters.metric_approximate_number_of_messages_visible(),
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            threshold=0,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

        parcels = sqs.Queue(
            self,
            "Parcels",
            fifo=True,
            content_based_deduplication=True,
            enforce_ssl=True,
        )
        reminders = sqs.Queue(
            self, "Reminders", delivery_delay=cdk.Duration.seconds(1), enforce_ssl=True
        )
        quotes = sqs.Queue(
            self,
            "Quotes",
            retention_period=cdk.Duration.minutes(1),
            max_message_size_bytes=1024,
            enforce_ssl=True,
        )

        for queue in (parcels, reminders, quotes):
            acknowledge(
                queue,
                "AwsSolutions::AwsSolutions-SQS3",
                "Serverless::Serverless-SQSRedrivePolicy",
                reason="Read by hand: there is no consumer that could fail on a message.",
            )

        cdk.CfnOutput(self, "OrdersUrl", value=self.orders.queue_url)
        cdk.CfnOutput(self, "DeadLettersUrl", value=self.dead_letters.queue_url)
        cdk.CfnOutput(self, "PlaceOrderName", value=place_order.function_name)
        cdk.CfnOutput(self, "ConsumerId", value=consumer.event_source_mapping_id)
        cdk.CfnOutput(self, "FulfilledTableName", value=fulfilled.table_name)
        cdk.CfnOutput(self, "AlarmName", value=alarm.alarm_name)
        cdk.CfnOutput(self, "ParcelsUrl", value=parcels.queue_url)
        cdk.CfnOutput(self, "RemindersUrl", value=reminders.queue_url)
        cdk.CfnOutput(self, "QuotesUrl", value=quotes.queue_url)
