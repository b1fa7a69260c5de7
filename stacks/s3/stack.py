"""S3: buckets, who may reach what is in them, and what becomes of it."""

from collections.abc import Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from patterns.validations import acknowledge, wildcard_below
from stacks.s3.replica import ReplicaStack, account_regional_prefix, refuse_region

FILMS = "films/"
DRAFTS = "drafts/"


class S3Stack(cdk.Stack):
    """Policies, ACLs, versions, replication, lifecycle, events and pre-signed URLs.

    A video comes into ``Media`` by a pre-signed URL, or from ``Editor``, whom the bucket's policy
    lets write drafts. Every change is told to the queue ``Changes``. Films are copied to another
    bucket and move to cheaper storage in time; drafts expire. ``Viewer`` may read films, by a
    policy of its own. ``Inbox`` is the only bucket with ACLs.

    CloudFormation deletes empty buckets only: who puts objects into one has to delete them, in all
    their versions.

    Args:
        removal_policy: Of the buckets.
        access_logs: For how long the log of every request is kept, in days; None: not logged. S3
            delivers it within hours, so that the bucket it goes to does not stay empty.
        upload_origins: The web sites whose pages may use pre-signed URLs. It is the signature that
            lets somebody in; this only tells browsers where it may be used.
        replica_region: Copy films to this region too, to a stack of its own there, which is named
            ``<this one>-replica``. None leaves that out. ``InvalidArgumentError`` if it is no
            region of AWS, or the one of this stack.
    """

    media: s3.Bucket

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        removal_policy: cdk.RemovalPolicy,
        access_logs: cdk.Duration | None,
        upload_origins: Sequence[str] = ("*",),
        replica_region: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        if replica_region:
            refuse_region(replica_region, own=self.region)
        self._removal_policy = removal_policy
        self._access_logs: s3.Bucket | None = None
        if access_logs:
            self._access_logs = self._bucket(
                "AccessLogs", lifecycle_rules=[s3.LifecycleRule(expiration=access_logs)]
            )

        copies = self._bucket("Copies", versioned=True)
        destinations: list[s3.IBucket] = [copies]
        if replica_region:
            destinations.append(self._replica(scope, replica_region))

        name_prefix = account_regional_prefix(self)
        self.media = self._bucket(
            "Media",
            bucket_name_prefix=name_prefix,
            bucket_namespace=s3.BucketNamespace.ACCOUNT_REGIONAL,
            versioned=True,
            cors=[
                s3.CorsRule(
                    allowed_methods=[s3.HttpMethods.GET, s3.HttpMethods.PUT],
                    allowed_origins=list(upload_origins),
                    allowed_headers=["*"],
                )
            ],
            lifecycle_rules=[_archive_films(), _expire_drafts()],
            replication_rules=[
                s3.ReplicationRule(
                    destination=destination, priority=priority, filter=s3.Filter(prefix=FILMS)
                )
                for priority, destination in enumerate(destinations)
            ],
        )
        self._acknowledge_replication(destinations)
        changes = self._queue_changes(f"{name_prefix}-{self.account}-{self.region}-an")

        viewer = self._viewer()
        editor = iam.Role(self, "Editor", assumed_by=iam.AccountRootPrincipal())
        self.media.add_to_resource_policy(
            iam.PolicyStatement(
                sid="DraftsOfEditor",
                principals=[editor],
                actions=["s3:GetObject", "s3:PutObject"],
                resources=[self.media.arn_for_objects(f"{DRAFTS}*")],
            )
        )

        # An object is of who puts it there, and its ACL decides who else may read it.
        inbox = self._bucket("Inbox", object_ownership=s3.ObjectOwnership.OBJECT_WRITER)

        if not access_logs:
            for bucket in (self.media, copies, inbox):
                acknowledge(
                    bucket,
                    "AwsSolutions::AwsSolutions-S1",
                    reason="Logs would arrive after the last request, and keep the stack from "
                    "being destroyed; the production profile has them.",
                )

        cdk.CfnOutput(self, "MediaName", value=self.media.bucket_name)
        cdk.CfnOutput(self, "CopiesName", value=copies.bucket_name)
        cdk.CfnOutput(self, "ChangesUrl", value=changes.queue_url)
        cdk.CfnOutput(self, "ViewerArn", value=viewer.role_arn)
        cdk.CfnOutput(self, "EditorArn", value=editor.role_arn)
        cdk.CfnOutput(self, "InboxName", value=inbox.bucket_name)
        if replica_region:
            cdk.CfnOutput(self, "ReplicaName", value=destinations[-1].bucket_name)
            cdk.CfnOutput(self, "ReplicaRegion", value=replica_region)

    def _bucket(self, construct_id: str, **options: Any) -> s3.Bucket:
        logs = self._access_logs
        return s3.Bucket(
            self,
            construct_id,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            removal_policy=self._removal_policy,
            server_access_logs_bucket=logs,
            server_access_logs_prefix=f"{construct_id}/" if logs else None,
            **{"object_ownership": s3.ObjectOwnership.BUCKET_OWNER_ENFORCED, **options},
        )

    def _replica(self, scope: Construct, region: str) -> s3.IBucket:
        """The bucket of a stack in another region."""
        replica = ReplicaStack(
            scope,
            f"{self.node.id}-replica",
            stack_name=f"{self.stack_name}-replica",
            region=region,
            removal_policy=self._removal_policy,
        )
        self.add_stack_dependency(replica)
        return s3.Bucket.from_bucket_name(self, "Replica", replica.bucket_name)

    def _acknowledge_replication(self, destinations: Sequence[s3.IBucket]) -> None:
        copies, *replica = destinations
        acknowledge(
            self.media.node.find_child("ReplicationRole"),
            wildcard_below(self.media, "/*"),
            wildcard_below(copies, "/*"),
            *(_wildcard_below_name(bucket.bucket_name) for bucket in replica),
            reason="S3 decides by the rules' prefix which objects it copies with this role.",
        )

    def _queue_changes(self, bucket_name: str) -> sqs.Queue:
        """A queue that is told of every change in ``Media``, whose name is ``bucket_name``."""
        changes = sqs.Queue(self, "Changes", enforce_ssl=True)
        acknowledge(
            changes,
            "AwsSolutions::AwsSolutions-SQS3",
            "Serverless::Serverless-SQSRedrivePolicy",
            reason="Read by hand: there is no consumer that could fail on a message.",
        )
        changes.add_to_resource_policy(
            iam.PolicyStatement(
                sid="ChangesOfMedia",
                principals=[iam.ServicePrincipal("s3.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[changes.queue_arn],
                conditions={
                    "ArnEquals": {
                        "aws:SourceArn": self.format_arn(
                            service="s3", region="", account="", resource=bucket_name
                        )
                    }
                },
            )
        )
        # Not add_event_notification(): that calls S3 from a function of the CDK's own, which leaves
        # a log group behind.
        media = self.media.node.default_child
        assert isinstance(media, s3.CfnBucket)
        media.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            queue_configurations=[
                s3.CfnBucket.QueueConfigurationProperty(event=event, queue=changes.queue_arn)
                for event in ("s3:ObjectCreated:*", "s3:ObjectRemoved:*")
            ]
        )
        # S3 tries the queue at once. So the queue's policy comes first, and names a bucket that
        # does not exist yet.
        self.media.node.add_dependency(changes)
        return changes

    def _viewer(self) -> iam.Role:
        watch_films = iam.ManagedPolicy(
            self,
            "WatchFilms",
            statements=[
                iam.PolicyStatement(
                    actions=["s3:GetObject"],
                    resources=[self.media.arn_for_objects(f"{FILMS}*")],
                ),
                iam.PolicyStatement(
                    actions=["s3:ListBucket"],
                    resources=[self.media.bucket_arn],
                    conditions={"StringLike": {"s3:prefix": f"{FILMS}*"}},
                ),
            ],
        )
        acknowledge(
            watch_films,
            wildcard_below(self.media, f"/{FILMS}*"),
            reason="Every film, and nothing that is not a film.",
        )
        return iam.Role(
            self,
            "Viewer",
            assumed_by=iam.AccountRootPrincipal(),
            managed_policies=[watch_films],
        )


def _wildcard_below_name(bucket_name: str) -> str:
    """What ``wildcard_below`` gives, of a bucket in another stack, which has no logical id here."""
    name = bucket_name.replace(cdk.Aws.ACCOUNT_ID, "<AWS::AccountId>")
    return f"AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:s3:::{name}/*]"


def _archive_films() -> s3.LifecycleRule:
    return s3.LifecycleRule(
        id="ArchiveFilms",
        prefix=FILMS,
        transitions=[
            s3.Transition(
                storage_class=s3.StorageClass.INFREQUENT_ACCESS,
                transition_after=cdk.Duration.days(30),
            ),
            s3.Transition(
                storage_class=s3.StorageClass.GLACIER_INSTANT_RETRIEVAL,
                transition_after=cdk.Duration.days(90),
            ),
        ],
    )


def _expire_drafts() -> s3.LifecycleRule:
    return s3.LifecycleRule(
        id="ExpireDrafts",
        prefix=DRAFTS,
        # Where there are versions, this puts a delete marker before them and no more.
        expiration=cdk.Duration.days(30),
        noncurrent_version_expiration=cdk.Duration.days(7),
        abort_incomplete_multipart_upload_after=cdk.Duration.days(1),
    )
