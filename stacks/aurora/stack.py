"""Aurora: a serverless cluster, written to through the Data API and read at its readers."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from constructs import Construct

from patterns.lambda_ import PythonFunction
from patterns.rds import AUTHORITY, PostgresClient, backup_retention
from patterns.validations import InvalidArgumentError, acknowledge

HERE = Path(__file__).parent
ISOLATED = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
DATABASE = "orders"
MAX_CAPACITY = 1
READER = "report"


class AuroraStack(cdk.Stack):
    """Aurora Serverless v2: writer, reader, Data API, a managed password, and a pause at zero.

    ``Orders``, outside of the VPC, writes through the Data API, which reads the password that RDS
    made and rotates. ``Report``, inside, reads at the reader endpoint and logs in with a token of
    IAM's: it needs no password, and so no way to Secrets Manager. Nobody else reaches the cluster.

    Args:
        vpc: Its isolated subnets hold the cluster and ``Report``.
        min_capacity: Aurora capacity units that each instance keeps awake and bills by the hour, in
            halves up to 1; 0 lets the cluster pause when nobody has been connected for five
            minutes, after which the first call waits about 15 seconds.
        recovery: How far back the cluster can be restored, 1 to 35 days; None is one day, the least
            that Aurora keeps.
        removal_policy: Of the cluster.
        deletion_protection: Refuse to delete the cluster until this is switched off.
        log_retention: Of the functions' logs.

    Raises:
        InvalidArgumentError: ``min_capacity`` or ``recovery`` is one that Aurora does not offer.
    """

    cluster: rds.DatabaseCluster

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        min_capacity: float,
        recovery: cdk.Duration | None,
        removal_policy: cdk.RemovalPolicy,
        deletion_protection: bool,
        log_retention: logs.RetentionDays,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)

        if min_capacity not in (0, 0.5, MAX_CAPACITY):
            raise InvalidArgumentError(
                f"an Aurora instance cannot keep {min_capacity:g} capacity units awake when it has "
                f"{MAX_CAPACITY} at most; give the aurora blueprint 0, 0.5 or {MAX_CAPACITY}"
            )
        group = ec2.SecurityGroup(
            self,
            "ClusterGroup",
            vpc=vpc,
            description="Report reaches the cluster, which reaches nobody.",
            allow_all_outbound=False,
        )
        self.cluster = rds.DatabaseCluster(
            self,
            "Cluster",
            # The Data API and the pause at 0 want 16.3 or later.
            engine=rds.DatabaseClusterEngine.aurora_postgres(
                version=rds.AuroraPostgresEngineVersion.VER_16_13
            ),
            vpc=vpc,
            vpc_subnets=ISOLATED,
            security_groups=[group],
            default_database_name=DATABASE,
            credentials=rds.Credentials.from_username("orders"),
            manage_master_user_password=True,
            parameters={"rds.force_ssl": "1"},
            iam_authentication=True,
            enable_data_api=True,
            storage_encrypted=True,
            writer=_instance("Writer"),
            # In the tier of failover targets, which wake and pause together with the writer.
            readers=[_instance("Reader", scale_with_writer=True)],
            serverless_v2_min_capacity=min_capacity,
            serverless_v2_max_capacity=MAX_CAPACITY,
            serverless_v2_auto_pause_duration=(None if min_capacity else cdk.Duration.minutes(5)),
            backup=rds.BackupProps(retention=backup_retention(recovery)),
            delete_automated_backups=removal_policy is cdk.RemovalPolicy.DESTROY,
            removal_policy=removal_policy,
            deletion_protection=deletion_protection,
        )
        if not deletion_protection:
            acknowledge(
                self.cluster,
                "AwsSolutions::AwsSolutions-RDS10",
                reason="It shall go with its stack; in production it is protected.",
            )

        orders = self._orders(log_retention)
        report = self._report(vpc, log_retention)

        cdk.CfnOutput(self, "ClusterId", value=self.cluster.cluster_identifier)
        cdk.CfnOutput(self, "OrdersName", value=orders.function_name)
        cdk.CfnOutput(self, "ReportName", value=report.function_name)

    def _orders(self, log_retention: logs.RetentionDays) -> lambda_.Function:
        """Writes, over HTTPS and IAM."""
        secret = self.cluster.secret
        assert secret
        orders = PythonFunction(
            self,
            "Orders",
            source=HERE / "handlers" / "orders",
            # Long enough to wait for a paused cluster.
            timeout=cdk.Duration.minutes(1),
            memory_size=256,
            log_retention=log_retention,
            environment={
                "CLUSTER_ARN": self.cluster.cluster_arn,
                "SECRET_ARN": secret.secret_arn,
                "DATABASE": DATABASE,
            },
        )
        # grant_data_api_access() would also allow batches, and describing the secret.
        for actions, resource in (
            (
                [
                    "rds-data:BeginTransaction",
                    "rds-data:CommitTransaction",
                    "rds-data:ExecuteStatement",
                    "rds-data:RollbackTransaction",
                ],
                self.cluster.cluster_arn,
            ),
            (["secretsmanager:GetSecretValue"], secret.secret_arn),
        ):
            orders.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
        return orders

    def _report(self, vpc: ec2.IVpc, log_retention: logs.RetentionDays) -> lambda_.Function:
        """Reads, over PostgreSQL's protocol."""
        group = ec2.SecurityGroup(
            self,
            "ReportGroup",
            vpc=vpc,
            description="Nobody reaches Report over the network. It speaks to its cluster.",
            allow_all_outbound=False,
        )
        report = PythonFunction(
            self,
            "Report",
            source=HERE / "handlers" / "report",
            timeout=cdk.Duration.minutes(1),
            memory_size=256,
            log_retention=log_retention,
            environment={
                "READER_HOST": self.cluster.cluster_read_endpoint.hostname,
                "READER_PORT": str(self.cluster.cluster_read_endpoint.port),
                "DATABASE": DATABASE,
                "DATABASE_USER": READER,
            },
            layers=PostgresClient(self, "Postgres").layers,
            vpc=vpc,
            vpc_subnets=ISOLATED,
            security_groups=[group],
        )
        self.cluster.grant_connect(report, READER)
        self.cluster.connections.allow_default_port_from(group, "Report")
        return report


def _instance(construct_id: str, *, scale_with_writer: bool = False) -> rds.IClusterInstance:
    return rds.ClusterInstance.serverless_v2(
        construct_id,
        scale_with_writer=scale_with_writer,
        ca_certificate=AUTHORITY,
        publicly_accessible=False,
        auto_minor_version_upgrade=True,
    )
