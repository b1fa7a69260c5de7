"""ElastiCache: a cache beside a table, and the functions that read and write through it."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from patterns.lambda_ import PackagesLayer, PythonFunction
from patterns.validations import InvalidArgumentError
from stacks.elasticache.caches import (
    PORT,
    Deployment,
    Endpoint,
    Memcached,
    MemoryDb,
    Nodes,
    Serverless,
)

HERE = Path(__file__).parent
ISOLATED = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
# What the functions do to users, and what tells whether a cache is full, and fills it.
USE = "on ~user:* -@all +get +set +del"
OPERATE = "on ~* -@all +info +pttl +exists +pexpire +get +setrange +del"


class ElasticacheStack(cdk.Stack):
    """Valkey beside a table: lazy loading, write-through, TTL, eviction; log-in without password.

    ``GetUser`` asks the cache, and the table for what the cache does not have. ``PutUser`` writes
    to both, ``DeleteUser`` deletes from both. Without a cache they do with the table, and say so.
    ``RunCommands`` is the way to the cache for who operates it: nobody reaches it from outside of
    the VPC. Each function logs in as a user of the cache who may do what it needs and no more, by
    a token that it signs with its role.

    Args:
        vpc: Its isolated subnets hold the cache and the functions; from there an endpoint leads to
            DynamoDB.
        table: Of users, by the text ``user_id``.
        time_to_live: How long a copy is believed, 1 second or more. What changes in the table
            behind the cache's back is seen when it ends.
        multi_az: Whether a second node, in another zone, takes over when the first fails, and
            bills like it. A serverless cache lies in several zones anyway.
        log_retention: Of the functions' logs.
        deployment: A serverless cache costs less than the smallest node as long as it is idle and
            nearly empty, and evicts as AWS sees fit.
        memcached: Whether there is a Memcached cluster too, which the functions reach and do not
            use; it bills by the hour.
        durable: Whether there is a MemoryDB cluster too, whose two nodes bill by the hour.

    Raises:
        InvalidArgumentError: ``time_to_live`` is too short, or ``vpc`` has too few subnets.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        table: dynamodb.ITable,
        time_to_live: cdk.Duration,
        multi_az: bool,
        log_retention: logs.RetentionDays,
        deployment: Deployment = Deployment.NODE_BASED,
        memcached: bool = False,
        durable: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        subnets = [subnet.subnet_id for subnet in vpc.isolated_subnets]
        _refuse(time_to_live, len(subnets))
        self._vpc, self._log_retention = vpc, log_retention

        self._callers = ec2.SecurityGroup(
            self,
            "Callers",
            vpc=vpc,
            description="Nobody reaches the functions over the network.",
            allow_all_outbound=False,
        )
        self._callers.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.HTTPS, "To DynamoDB")
        guard = ec2.SecurityGroup(
            self,
            "Guard",
            vpc=vpc,
            description="The functions reach the cache, and it reaches nobody.",
            allow_all_outbound=False,
        )
        guard.connections.allow_from(self._callers, PORT, "Functions")
        self._client = PackagesLayer(
            self,
            "Client",
            source=HERE / "layers" / "valkey",
            description="valkey-py, a client of Valkey in nothing but Python.",
        )

        users, operators = self._user("Users", USE), self._user("Operators", OPERATE)
        group = elasticache.CfnUserGroup(
            self,
            "UserGroup",
            engine="valkey",
            user_group_id=self._name("all"),
            user_ids=[users.ref, operators.ref],
        )
        cache: Nodes | Serverless
        if deployment is Deployment.NODE_BASED:
            cache = Nodes(
                self,
                "Cache",
                subnets=subnets,
                security_group=guard,
                users=group,
                multi_az=multi_az,
            )
        else:
            cache = Serverless(
                self,
                "Serverless",
                name=self._name("cache"),
                subnets=subnets,
                security_group=guard,
                users=group,
            )

        for name, action in (
            ("GetUser", "dynamodb:GetItem"),
            ("PutUser", "dynamodb:PutItem"),
            ("DeleteUser", "dynamodb:DeleteItem"),
        ):
            function = self._function(
                name,
                handler=f"index.{name.removesuffix('User').lower()}",
                endpoint=cache.endpoint,
                user=users.user_id,
                user_arn=users.attr_arn,
                TABLE_NAME=table.table_name,
                TIME_TO_LIVE_S=str(time_to_live.to_seconds()),
            )
            # Table.grant() would let it do the same on the indexes.
            iam.Grant.add_to_principal(
                grantee=function, actions=[action], resource_arns=[table.table_arn]
            )
        self._function(
            "RunCommands",
            handler="index.run",
            endpoint=cache.endpoint,
            user=operators.user_id,
            user_arn=operators.attr_arn,
        )

        if memcached:
            guard.connections.allow_from(self._callers, ec2.Port.tcp(11211), "Functions")
            Memcached(self, "Memcached", subnets=subnets, security_group=guard)
        if durable:
            memorydb = MemoryDb(
                self,
                "MemoryDb",
                name=self._name("memorydb"),
                subnets=subnets,
                security_group=guard,
                access=OPERATE,
            )
            self._function(
                "RunMemoryDbCommands",
                handler="index.run",
                endpoint=memorydb.endpoint,
                user=memorydb.user.user_name,
                user_arn=memorydb.user.attr_arn,
            )
            cdk.CfnOutput(self, "MemoryDbName", value=memorydb.endpoint.name)

        cdk.CfnOutput(self, "Deployment", value=deployment)
        cdk.CfnOutput(self, "CacheName", value=cache.endpoint.name)
        cdk.CfnOutput(self, "TimeToLive", value=str(time_to_live.to_seconds()))
        cdk.CfnOutput(self, "UsersTableName", value=table.table_name)

    def _user(self, name: str, access: str) -> elasticache.CfnUser:
        # Who logs in by IAM has a name that is their id:
        # https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/auth-iam.html
        user_id = self._name(name.lower())
        return elasticache.CfnUser(
            self,
            name,
            engine="valkey",
            user_id=user_id,
            user_name=user_id,
            access_string=access,
            authentication_mode={"Type": "iam"},
        )

    def _name(self, of: str) -> str:
        """A name for what CloudFormation names nothing: in lower case, up to 40 characters."""
        stack = cdk.Names.unique_resource_name(self, max_length=30, allowed_special_characters="-")
        return f"{stack.lower()}-{of}"

    def _function(
        self,
        name: str,
        *,
        handler: str,
        endpoint: Endpoint,
        user: str,
        user_arn: str,
        **environment: str,
    ) -> lambda_.Function:
        function = PythonFunction(
            self,
            name,
            source=HERE / "handlers" / "cached_users",
            handler=handler,
            timeout=cdk.Duration.seconds(10),
            log_retention=self._log_retention,
            # With less of a processor, TLS alone takes longer than one waits for a cache.
            memory_size=512,
            environment={
                "CACHE_HOST": endpoint.host,
                "CACHE_PORT": endpoint.port,
                "SIGN_IN": f"{endpoint.name}/?Action=connect&User={user}{endpoint.kind}",
                "SIGN_IN_SERVICE": endpoint.service,
                **environment,
            },
            layers=[self._client],
            vpc=self._vpc,
            vpc_subnets=ISOLATED,
            security_groups=[self._callers],
        )
        iam.Grant.add_to_principal(
            grantee=function,
            actions=[f"{endpoint.service}:Connect"],
            resource_arns=[endpoint.arn, user_arn],
        )
        cdk.CfnOutput(self, f"{name}Name", value=function.function_name)
        return function


def _refuse(time_to_live: cdk.Duration, subnets: int) -> None:
    if time_to_live.to_milliseconds() < 1000:
        raise InvalidArgumentError(
            f"elasticache: a copy cannot live for {time_to_live.to_milliseconds():g} ms; "
            "give a time_to_live of one second or more"
        )
    if subnets < 2:
        raise InvalidArgumentError(
            f"elasticache: the VPC has {subnets} isolated subnets; give one with isolated subnets "
            "in two zones"
        )
