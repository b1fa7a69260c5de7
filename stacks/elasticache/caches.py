"""What keeps copies, or the users themselves, in memory: caches of two kinds, and MemoryDB."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_memorydb as memorydb
from constructs import Construct

from patterns.validations import acknowledge

PORT = ec2.Port.tcp(6379)
NODE_TYPE = "cache.t4g.micro"


class Deployment(StrEnum):
    """Who chooses the nodes of a cache and their parameters."""

    NODE_BASED = "node-based"
    SERVERLESS = "serverless"


class Endpoint(NamedTuple):
    """Where one connects to, and what a token to log in there is signed for.

    Attributes:
        host: Of the node that takes writes.
        port: As text, which it is to CloudFormation.
        name: Of the cache or cluster.
        arn: Of the same.
        service: As it is called in signatures, and in the action ``<service>:Connect``.
        kind: What else the signed request has to say.
    """

    host: str
    port: str
    name: str
    arn: str
    service: str
    kind: str = ""


class Nodes(Construct):
    """A Valkey cache on nodes of one's own, in which anything may be evicted that is not used.

    Args:
        subnets: Of at least two zones for ``multi_az``.
        security_group: Who reaches it.
        users: The group of those who log in.
        multi_az: Whether there is a second node, in another zone, that takes over.
    """

    endpoint: Endpoint

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        subnets: Sequence[str],
        security_group: ec2.ISecurityGroup,
        users: elasticache.CfnUserGroup,
        multi_az: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        parameters = elasticache.CfnParameterGroup(
            self,
            "Parameters",
            cache_parameter_group_family="valkey8",
            description="Evict what was not used lately, whether it has a time to live or not",
            properties={"maxmemory-policy": "allkeys-lru"},
        )
        group = elasticache.CfnReplicationGroup(
            self,
            "Group",
            replication_group_description="Copies of users",
            engine="valkey",
            engine_version="8.2",
            cache_node_type=NODE_TYPE,
            num_cache_clusters=2 if multi_az else 1,
            automatic_failover_enabled=multi_az,
            multi_az_enabled=multi_az,
            cache_parameter_group_name=parameters.ref,
            cache_subnet_group_name=_subnet_group(self, subnets),
            security_group_ids=[security_group.security_group_id],
            user_group_ids=[users.ref],
            at_rest_encryption_enabled=True,
            # Without it nobody can log in by IAM.
            transit_encryption_enabled=True,
        )
        acknowledge(
            group,
            "AwsSolutions::AwsSolutions-AEC6",
            reason="Users log in by IAM; AUTH would be one password for all of them.",
        )
        _acknowledge_port(group)
        if not multi_az:
            acknowledge(
                group,
                "AwsSolutions::AwsSolutions-AEC4",
                reason="It holds copies only, and the functions do without it.",
            )
        self.endpoint = Endpoint(
            host=group.attr_primary_end_point_address,
            port=group.attr_primary_end_point_port,
            name=group.ref,
            arn=_arn(self, "elasticache", "replicationgroup", group.ref),
            service="elasticache",
        )


class Serverless(Construct):
    """A Valkey cache whose nodes are AWS's affair, in several zones and with AWS's parameters.

    Args:
        name: Up to 40 characters, in lower case.
        subnets: Of at least two zones.
        security_group: Who reaches it.
        users: The group of those who log in.
    """

    endpoint: Endpoint

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        subnets: Sequence[str],
        security_group: ec2.ISecurityGroup,
        users: elasticache.CfnUserGroup,
    ) -> None:
        super().__init__(scope, construct_id)
        limits = elasticache.CfnServerlessCache
        cache = elasticache.CfnServerlessCache(
            self,
            "Cache",
            serverless_cache_name=name,
            engine="valkey",
            major_engine_version="8",
            subnet_ids=list(subnets),
            security_group_ids=[security_group.security_group_id],
            user_group_id=users.ref,
            # It would grow with whatever is asked of it, and the bill with it.
            cache_usage_limits=limits.CacheUsageLimitsProperty(
                data_storage=limits.DataStorageProperty(unit="GB", maximum=1),
                ecpu_per_second=limits.ECPUPerSecondProperty(maximum=1000),
            ),
        )
        self.endpoint = Endpoint(
            host=cache.attr_endpoint_address,
            port=cache.attr_endpoint_port,
            name=name,
            arn=cache.attr_arn,
            service="elasticache",
            kind="&ResourceType=ServerlessCache",
        )


class Memcached(Construct):
    """A Memcached cluster of one node, which knows no users: who reaches it may do everything.

    Args:
        subnets: Where its node may lie.
        security_group: Who reaches it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        subnets: Sequence[str],
        security_group: ec2.ISecurityGroup,
    ) -> None:
        super().__init__(scope, construct_id)
        cluster = elasticache.CfnCacheCluster(
            self,
            "Cluster",
            engine="memcached",
            engine_version="1.6.22",
            cache_node_type=NODE_TYPE,
            num_cache_nodes=1,
            cache_subnet_group_name=_subnet_group(self, subnets),
            vpc_security_group_ids=[security_group.security_group_id],
            transit_encryption_enabled=True,
        )
        _acknowledge_port(cluster)


class MemoryDb(Construct):
    """A durable database with Valkey's commands: it answers a write once its log has it.

    Args:
        name: Of the cluster and what belongs to it; up to 40 characters, in lower case.
        subnets: Of at least two zones.
        security_group: Who reaches it.
        access: What its only user may do.
    """

    endpoint: Endpoint
    user: memorydb.CfnUser

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        subnets: Sequence[str],
        security_group: ec2.ISecurityGroup,
        access: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self.user = memorydb.CfnUser(
            self,
            "User",
            user_name=name,
            access_string=access,
            authentication_mode={"Type": "iam"},
        )
        acl = memorydb.CfnACL(self, "Acl", acl_name=name, user_names=[self.user.ref])
        subnet_group = memorydb.CfnSubnetGroup(
            self, "Subnets", subnet_group_name=name, subnet_ids=list(subnets)
        )
        cluster = memorydb.CfnCluster(
            self,
            "Cluster",
            cluster_name=name,
            engine="valkey",
            node_type="db.t4g.small",
            num_shards=1,
            # Somebody has to be there to take over.
            num_replicas_per_shard=1,
            acl_name=acl.ref,
            subnet_group_name=subnet_group.ref,
            security_group_ids=[security_group.security_group_id],
            tls_enabled=True,
        )
        self.endpoint = Endpoint(
            host=cluster.attr_cluster_endpoint_address,
            port=cdk.Tokenization.stringify_number(cluster.attr_cluster_endpoint_port),
            name=cluster.ref,
            arn=cluster.attr_arn,
            service="memorydb",
        )


def _subnet_group(scope: Construct, subnets: Sequence[str]) -> str:
    return elasticache.CfnSubnetGroup(
        scope, "Subnets", description="Where its nodes may lie", subnet_ids=list(subnets)
    ).ref


def _acknowledge_port(cache: Construct) -> None:
    acknowledge(
        cache,
        "AwsSolutions::AwsSolutions-AEC5",
        reason="Another port hides nothing: only the functions' security group gets in.",
    )


def _arn(scope: Construct, service: str, resource: str, name: str) -> str:
    return cdk.Stack.of(scope).format_arn(
        service=service,
        resource=resource,
        resource_name=name,
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )
