"""RDS: a managed database, who may reach it, and how its password gets to a function."""

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
from patterns.validations import acknowledge
from stacks.rds.engine import Engine

HERE = Path(__file__).parent
INSTANCE_TYPE = ec2.InstanceType("t4g.micro")
ISOLATED = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)


class RdsStack(cdk.Stack):
    """PostgreSQL with a generated password, growing storage, a standby, a replica and a client.

    A call of ``Orders``, which runs in the isolated subnets, reads the password from Secrets
    Manager through an interface endpoint, connects with TLS and keeps the connection for the next
    call. The database lies beside it and lets nobody else in.

    The endpoint answers for Secrets Manager in the whole VPC, to everybody in it: a second one for
    the same service cannot have the service's name, so make none in that VPC.

    Args:
        vpc: Its isolated subnets hold the database, the function and the endpoint.
        multi_az: Whether a standby in another zone takes over when the database fails. It serves
            nobody until then, and bills like the first.
        read_replica: Whether there is a copy that serves reads, somewhat late.
        endpoint_zones: In how many zones the endpoint lies, 1 or 2; each bills by the hour.
        recovery: How far back the database can be restored, 1 to 35 days; None is one day, because
            without any there can be no replica.
        removal_policy: Of the database and its password.
        deletion_protection: Refuse to delete the database until this is switched off.
        log_retention: Of the function's logs.
        engine: Other than PostgreSQL, it is left alone: the function speaks no other language.

    Raises:
        InvalidArgumentError: ``recovery`` is one that RDS does not offer.
    """

    database: rds.DatabaseInstance

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        multi_az: bool,
        read_replica: bool,
        endpoint_zones: int,
        recovery: cdk.Duration | None,
        removal_policy: cdk.RemovalPolicy,
        deletion_protection: bool,
        log_retention: logs.RetentionDays,
        engine: Engine = Engine.POSTGRES,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)

        subnets = rds.SubnetGroup(
            self,
            "Subnets",
            description="The isolated ones",
            vpc=vpc,
            vpc_subnets=ISOLATED,
            removal_policy=removal_policy,
        )
        group = ec2.SecurityGroup(
            self,
            "DatabaseGroup",
            vpc=vpc,
            description="Orders reaches the database, and its replica; they reach nobody.",
            allow_all_outbound=False,
        )

        credentials = rds.DatabaseSecret(self, "Credentials", username="orders")
        credentials.apply_removal_policy(removal_policy)
        acknowledge(
            credentials,
            "AwsSolutions::AwsSolutions-SMG4",
            reason="Rotation takes one more function in the VPC; RDS does aurora's by itself.",
        )
        self.database = rds.DatabaseInstance(
            self,
            "Database",
            engine=engine.version,
            instance_type=INSTANCE_TYPE,
            vpc=vpc,
            subnet_group=subnets,
            security_groups=[group],
            # What RDS takes for the default depends on the subnet group.
            publicly_accessible=False,
            credentials=rds.Credentials.from_secret(credentials),
            database_name="orders",
            parameters=engine.requires_tls,
            ca_certificate=AUTHORITY,
            iam_authentication=True,
            storage_type=rds.StorageType.GP3,
            storage_encrypted=True,
            allocated_storage=20,
            # It grows when less than a tenth is free, and never shrinks again.
            max_allocated_storage=100,
            multi_az=multi_az,
            backup_retention=backup_retention(recovery),
            delete_automated_backups=removal_policy is cdk.RemovalPolicy.DESTROY,
            auto_minor_version_upgrade=True,
            engine_lifecycle_support=engine.after_standard_support,
            removal_policy=removal_policy,
            deletion_protection=deletion_protection,
        )

        _acknowledge(self.database, multi_az=multi_az, deletion_protection=deletion_protection)
        replica = None
        if read_replica:
            replica = rds.DatabaseInstanceReadReplica(
                self,
                "Replica",
                source_database_instance=self.database,
                instance_type=INSTANCE_TYPE,
                vpc=vpc,
                subnet_group=subnets,
                security_groups=[group],
                publicly_accessible=False,
                storage_type=rds.StorageType.GP3,
                ca_certificate=AUTHORITY,
                removal_policy=removal_policy,
                deletion_protection=deletion_protection,
            )
            _acknowledge(replica, multi_az=False, deletion_protection=deletion_protection)
            acknowledge(
                replica,
                "AwsSolutions::AwsSolutions-RDS2",
                reason="It is encrypted because its primary is, and RDS refuses to be told so.",
            )
        if engine is Engine.POSTGRES:
            self._open_secrets_manager(vpc, endpoint_zones)
            orders = self._orders(vpc, replica, log_retention)
            cdk.CfnOutput(self, "OrdersName", value=orders.function_name)

        cdk.CfnOutput(self, "DatabaseId", value=self.database.instance_identifier)
        cdk.CfnOutput(self, "SecretArn", value=credentials.secret_arn)

    def _open_secrets_manager(self, vpc: ec2.IVpc, zones: int) -> None:
        """The way to Secrets Manager from subnets that have none to the internet."""
        group = ec2.SecurityGroup(
            self,
            "SecretsManagerGroup",
            vpc=vpc,
            description="Everybody in the VPC reaches Secrets Manager; permissions decide.",
            allow_all_outbound=False,
        )
        group.add_ingress_rule(ec2.Peer.ipv4(vpc.vpc_cidr_block), ec2.Port.HTTPS, "The VPC")
        acknowledge(
            group,
            "AwsSolutions::AwsSolutions-EC23",
            reason="Open to the VPC's own range, which cdk-nag cannot read from another stack.",
        )
        ec2.InterfaceVpcEndpoint(
            self,
            "SecretsManager",
            vpc=vpc,
            service=ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
            subnets=ec2.SubnetSelection(subnets=vpc.isolated_subnets[:zones]),
            security_groups=[group],
            open=False,
        )

    def _orders(
        self,
        vpc: ec2.IVpc,
        replica: rds.DatabaseInstanceReadReplica | None,
        log_retention: logs.RetentionDays,
    ) -> lambda_.Function:
        """The client, which may read the password and talk to nobody else."""
        group = ec2.SecurityGroup(
            self,
            "OrdersGroup",
            vpc=vpc,
            description="Nobody reaches Orders over the network. It speaks to its database.",
            allow_all_outbound=False,
        )
        group.add_egress_rule(
            ec2.Peer.ipv4(vpc.vpc_cidr_block), ec2.Port.HTTPS, "To the endpoint of Secrets Manager"
        )
        attached = self.database.secret
        assert attached
        orders = PythonFunction(
            self,
            "Orders",
            source=HERE / "handlers" / "orders",
            timeout=cdk.Duration.seconds(30),
            memory_size=256,
            log_retention=log_retention,
            environment={
                # The attachment's, so that nobody calls before the secret knows the host.
                "SECRET_ARN": attached.secret_arn,
                **(
                    {
                        "REPLICA_HOST": replica.db_instance_endpoint_address,
                        "REPLICA_PORT": replica.db_instance_endpoint_port,
                    }
                    if replica
                    else {}
                ),
            },
            layers=PostgresClient(self, "Postgres").layers,
            vpc=vpc,
            vpc_subnets=ISOLATED,
            security_groups=[group],
        )
        # grant_read() would also allow describing the secret.
        orders.add_to_role_policy(
            iam.PolicyStatement(
                actions=["secretsmanager:GetSecretValue"], resources=[attached.secret_arn]
            )
        )
        self.database.connections.allow_default_port_from(group, "Orders")
        return orders


def _acknowledge(
    instance: rds.IDatabaseInstance, *, multi_az: bool, deletion_protection: bool
) -> None:
    acknowledge(
        instance,
        "AwsSolutions::AwsSolutions-RDS11",
        reason="Another port hides nothing: only the function's security group gets in.",
    )
    if not multi_az:
        acknowledge(
            instance,
            "AwsSolutions::AwsSolutions-RDS3",
            reason="A standby bills like the instance itself; production's primary has one.",
        )
    if not deletion_protection:
        acknowledge(
            instance,
            "AwsSolutions::AwsSolutions-RDS10",
            reason="It shall go with its stack; in production it is protected.",
        )
