"""DynamoDB: scores with their indexes, who writes them and who hears of it, and other tables."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from patterns.lambda_ import PythonFunction
from patterns.validations import acknowledge

HANDLERS = Path(__file__).parent / "handlers"


class DynamodbStack(cdk.Stack):
    """Keys, indexes, capacity, TTL and transactions; optimistic locking; a stream of changes.

    ``AddPoints`` brings points to ``Scores`` and reads again whenever another writer was faster.
    The table's stream carries each change of a ranked score to ``RecordChanges``, which stores it
    with the item before and after. Users, log lines and seasons are written by the exercise.

    Args:
        removal_policy: Of the tables.
        deletion_protection: Of the tables; it would fail the destruction of a stack that does not
            retain them.
        recovery: How far back the tables can be restored, 1 to 35 days; None: not at all.
        log_retention: Of the functions' logs.
        change_stream: Where the changes of scores go as well, for more or longer reading than
            DynamoDB Streams allow (2 readers, 24 hours). A Kinesis stream bills by the hour.
    """

    users: dynamodb.TableV2
    scores: dynamodb.TableV2

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        removal_policy: cdk.RemovalPolicy,
        deletion_protection: bool,
        recovery: cdk.Duration | None,
        log_retention: logs.RetentionDays,
        change_stream: kinesis.IStream | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)

        safekeeping: dict[str, Any] = {
            "removal_policy": removal_policy,
            "deletion_protection": deletion_protection,
            "point_in_time_recovery_specification": recovery
            and dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True, recovery_period_in_days=recovery.to_days()
            ),
        }

        self.scores = dynamodb.TableV2(
            self,
            "Scores",
            partition_key=_text("user_id"),
            sort_key=_text("game_id"),
            billing=dynamodb.Billing.on_demand(),
            # A user's games by points. It can only be made together with its table.
            local_secondary_indexes=[
                dynamodb.LocalSecondaryIndexProps(
                    index_name="ByPoints",
                    sort_key=_number("points"),
                    projection_type=dynamodb.ProjectionType.KEYS_ONLY,
                )
            ],
            global_secondary_indexes=[
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name="Leaderboard",
                    partition_key=_text("game_id"),
                    sort_key=_number("points"),
                    projection_type=dynamodb.ProjectionType.KEYS_ONLY,
                )
            ],
            time_to_live_attribute="expires_at",
            dynamo_stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
            kinesis_stream=change_stream,
            **safekeeping,
        )
        add_points = PythonFunction(
            self,
            "AddPoints",
            source=HANDLERS / "add_points",
            timeout=cdk.Duration.seconds(10),
            log_retention=log_retention,
            environment={"TABLE_NAME": self.scores.table_name},
        )
        # Without PutItem it cannot replace a score it has not read. Table.grant() would let it do
        # both on the indexes too.
        iam.Grant.add_to_principal(
            grantee=add_points,
            actions=["dynamodb:GetItem", "dynamodb:UpdateItem"],
            resource_arns=[self.scores.table_arn],
        )

        changes = dynamodb.TableV2(
            self,
            "Changes",
            partition_key=_text("score"),
            sort_key=_text("sequence_number"),
            billing=dynamodb.Billing.on_demand(),
            **safekeeping,
        )
        record_changes = PythonFunction(
            self,
            "RecordChanges",
            source=HANDLERS / "record_changes",
            timeout=cdk.Duration.seconds(10),
            log_retention=log_retention,
            environment={"TABLE_NAME": changes.table_name},
        )
        changes.grant(record_changes, "dynamodb:PutItem")
        self.scores.grant_stream_read(record_changes)

        unrecorded = sqs.Queue(
            self, "Unrecorded", retention_period=cdk.Duration.days(14), enforce_ssl=True
        )
        acknowledge(
            unrecorded,
            "AwsSolutions::AwsSolutions-SQS3",
            "Serverless::Serverless-SQSRedrivePolicy",
            reason="This is where changes end that cannot be recorded; people read it.",
        )
        ranked = {"kind": {"S": ["ranked"]}}
        record_changes.add_event_source_mapping(
            "Stream",
            event_source_arn=self.scores.table_stream_arn,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            # What is removed has an old image only. Practice is nobody's business.
            filters=[
                lambda_.FilterCriteria.filter(
                    {"eventName": ["INSERT", "MODIFY"], "dynamodb": {"NewImage": ranked}}
                ),
                lambda_.FilterCriteria.filter(
                    {"eventName": ["REMOVE"], "dynamodb": {"OldImage": ranked}}
                ),
            ],
            # A failing record holds up all that follow it in its shard, for up to 24 hours, unless
            # it is singled out and set aside.
            bisect_batch_on_error=True,
            retry_attempts=3,
            on_failure=event_sources.SqsDlq(unrecorded),
        )

        self.users = dynamodb.TableV2(
            self,
            "Users",
            partition_key=_text("user_id"),
            billing=dynamodb.Billing.on_demand(),
            **safekeeping,
        )
        log_lines = dynamodb.TableV2(
            self,
            "LogLines",
            partition_key=_text("app"),
            sort_key=_text("ts"),
            billing=dynamodb.Billing.on_demand(),
            **safekeeping,
        )
        # TableV2 takes write capacity only with auto scaling, whose alarms would bill as well.
        seasons = dynamodb.Table(
            self,
            "Seasons",
            partition_key=_text("season"),
            read_capacity=1,
            write_capacity=1,
            # The other mode, which counts every access, makes and bills twice the rules.
            contributor_insights_specification=dynamodb.ContributorInsightsSpecification(
                enabled=True, mode=dynamodb.ContributorInsightsMode.THROTTLED_KEYS
            ),
            **safekeeping,
        )
        if recovery is None:
            acknowledge(
                seasons,
                "AwsSolutions::AwsSolutions-DDB3",
                reason="Holds nothing to restore: this profile gives up its data on purpose.",
            )

        cdk.CfnOutput(self, "AddPointsName", value=add_points.function_name)
        cdk.CfnOutput(self, "ScoresTableName", value=self.scores.table_name)
        cdk.CfnOutput(self, "ChangesTableName", value=changes.table_name)
        cdk.CfnOutput(self, "UnrecordedUrl", value=unrecorded.queue_url)
        cdk.CfnOutput(self, "UsersTableName", value=self.users.table_name)
        cdk.CfnOutput(self, "LogLinesTableName", value=log_lines.table_name)
        cdk.CfnOutput(self, "SeasonsTableName", value=seasons.table_name)


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)


def _number(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.NUMBER)
