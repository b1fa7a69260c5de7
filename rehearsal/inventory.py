"""What the account holds, asked of the services themselves and not of CloudFormation."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import boto3
import jmespath


class Listing(NamedTuple):
    """How to list the resources of a type: an operation, and a JMESPath into its answer."""

    service: str
    operation: str
    path: str
    arguments: Mapping[str, Any] = MappingProxyType({})


LISTINGS = {
    "AWS::ApiGateway::ApiKey": Listing("apigateway", "get_api_keys", "items[].id"),
    "AWS::ApiGateway::RestApi": Listing("apigateway", "get_rest_apis", "items[].id"),
    "AWS::ApiGateway::UsagePlan": Listing("apigateway", "get_usage_plans", "items[].id"),
    "AWS::ApiGatewayV2::Api": Listing("apigatewayv2", "get_apis", "Items[].ApiId"),
    "AWS::AutoScaling::AutoScalingGroup": Listing(
        "autoscaling",
        "describe_auto_scaling_groups",
        "AutoScalingGroups[].AutoScalingGroupName",
    ),
    "AWS::AutoScaling::ScalingPolicy": Listing(
        "autoscaling",
        "describe_policies",
        "ScalingPolicies[].PolicyARN",
    ),
    "AWS::AutoScaling::ScheduledAction": Listing(
        "autoscaling",
        "describe_scheduled_actions",
        "ScheduledUpdateGroupActions[].ScheduledActionARN",
    ),
    "AWS::CloudFront::CachePolicy": Listing(
        "cloudfront",
        "list_cache_policies",
        "CachePolicyList.Items[].CachePolicy.Id",
        {"Type": "custom"},
    ),
    "AWS::CloudFront::Distribution": Listing(
        "cloudfront", "list_distributions", "DistributionList.Items[].Id"
    ),
    "AWS::CloudFront::Function": Listing(
        "cloudfront", "list_functions", "FunctionList.Items[].Name"
    ),
    "AWS::CloudFront::KeyGroup": Listing(
        "cloudfront", "list_key_groups", "KeyGroupList.Items[].KeyGroup.Id"
    ),
    "AWS::CloudFront::OriginAccessControl": Listing(
        "cloudfront", "list_origin_access_controls", "OriginAccessControlList.Items[].Id"
    ),
    "AWS::CloudFront::PublicKey": Listing(
        "cloudfront", "list_public_keys", "PublicKeyList.Items[].Id"
    ),
    "AWS::CloudWatch::Alarm": Listing("cloudwatch", "describe_alarms", "MetricAlarms[].AlarmName"),
    "AWS::CloudWatch::CompositeAlarm": Listing(
        "cloudwatch",
        "describe_alarms",
        "CompositeAlarms[].AlarmName",
        {"AlarmTypes": ["CompositeAlarm"]},
    ),
    "AWS::CloudWatch::Dashboard": Listing(
        "cloudwatch",
        "list_dashboards",
        "DashboardEntries[].DashboardName",
    ),
    "AWS::DynamoDB::Table": Listing("dynamodb", "list_tables", "TableNames[]"),
    "AWS::EC2::EIP": Listing("ec2", "describe_addresses", "Addresses[].AllocationId"),
    "AWS::EC2::FlowLog": Listing("ec2", "describe_flow_logs", "FlowLogs[].FlowLogId"),
    "AWS::EC2::Instance": Listing(
        "ec2",
        "describe_instances",
        "Reservations[].Instances[?State.Name!='terminated'][].InstanceId",
    ),
    "AWS::EC2::InternetGateway": Listing(
        "ec2",
        "describe_internet_gateways",
        "InternetGateways[].InternetGatewayId",
    ),
    "AWS::EC2::KeyPair": Listing("ec2", "describe_key_pairs", "KeyPairs[].KeyName"),
    "AWS::EC2::LaunchTemplate": Listing(
        "ec2",
        "describe_launch_templates",
        "LaunchTemplates[].LaunchTemplateId",
    ),
    "AWS::EC2::NatGateway": Listing(
        "ec2",
        "describe_nat_gateways",
        "NatGateways[?State!='deleted'].NatGatewayId",
    ),
    "AWS::EC2::NetworkAcl": Listing("ec2", "describe_network_acls", "NetworkAcls[].NetworkAclId"),
    "AWS::EC2::NetworkInterface": Listing(
        "ec2",
        "describe_network_interfaces",
        "NetworkInterfaces[].NetworkInterfaceId",
    ),
    "AWS::EC2::PlacementGroup": Listing(
        "ec2",
        "describe_placement_groups",
        "PlacementGroups[].GroupName",
    ),
    "AWS::EC2::RouteTable": Listing("ec2", "describe_route_tables", "RouteTables[].RouteTableId"),
    "AWS::EC2::SecurityGroup": Listing(
        "ec2", "describe_security_groups", "SecurityGroups[].GroupId"
    ),
    "AWS::EC2::Subnet": Listing("ec2", "describe_subnets", "Subnets[].SubnetId"),
    "AWS::EC2::VPC": Listing("ec2", "describe_vpcs", "Vpcs[].VpcId"),
    "AWS::EC2::VPCEndpoint": Listing(
        "ec2",
        "describe_vpc_endpoints",
        "VpcEndpoints[?State!='deleted'].VpcEndpointId",
    ),
    "AWS::EC2::VPCPeeringConnection": Listing(
        "ec2",
        "describe_vpc_peering_connections",
        "VpcPeeringConnections[?Status.Code!='deleted'].VpcPeeringConnectionId",
    ),
    "AWS::EC2::Volume": Listing("ec2", "describe_volumes", "Volumes[].VolumeId"),
    "AWS::EFS::AccessPoint": Listing(
        "efs",
        "describe_access_points",
        "AccessPoints[].AccessPointId",
    ),
    "AWS::EFS::FileSystem": Listing("efs", "describe_file_systems", "FileSystems[].FileSystemId"),
    "AWS::EKS::Cluster": Listing("eks", "list_clusters", "clusters[]"),
    "AWS::ElastiCache::CacheCluster": Listing(
        "elasticache",
        "describe_cache_clusters",
        "CacheClusters[].CacheClusterId",
    ),
    "AWS::ElastiCache::ParameterGroup": Listing(
        "elasticache",
        "describe_cache_parameter_groups",
        "CacheParameterGroups[].CacheParameterGroupName",
    ),
    "AWS::ElastiCache::ReplicationGroup": Listing(
        "elasticache",
        "describe_replication_groups",
        "ReplicationGroups[].ReplicationGroupId",
    ),
    "AWS::ElastiCache::SubnetGroup": Listing(
        "elasticache",
        "describe_cache_subnet_groups",
        "CacheSubnetGroups[].CacheSubnetGroupName",
    ),
    "AWS::ElastiCache::User": Listing("elasticache", "describe_users", "Users[].UserId"),
    "AWS::ElastiCache::UserGroup": Listing(
        "elasticache",
        "describe_user_groups",
        "UserGroups[].UserGroupId",
    ),
    "AWS::ElasticLoadBalancingV2::LoadBalancer": Listing(
        "elbv2",
        "describe_load_balancers",
        "LoadBalancers[].LoadBalancerArn",
    ),
    "AWS::ElasticLoadBalancingV2::TargetGroup": Listing(
        "elbv2",
        "describe_target_groups",
        "TargetGroups[].TargetGroupArn",
    ),
    "AWS::ECS::CapacityProvider": Listing(
        "ecs",
        "describe_capacity_providers",
        "capacityProviders[?!starts_with(name, 'FARGATE')].name",
    ),
    "AWS::ECS::Cluster": Listing("ecs", "list_clusters", "clusterArns[]"),
    "AWS::ECS::TaskDefinition": Listing("ecs", "list_task_definitions", "taskDefinitionArns[]"),
    "AWS::Events::EventBus": Listing("events", "list_event_buses", "EventBuses[].Name"),
    "AWS::Events::Rule": Listing("events", "list_rules", "Rules[].Name"),
    "AWS::IAM::Group": Listing("iam", "list_groups", "Groups[].GroupName"),
    "AWS::IAM::InstanceProfile": Listing(
        "iam",
        "list_instance_profiles",
        "InstanceProfiles[].InstanceProfileName",
    ),
    "AWS::IAM::ManagedPolicy": Listing(
        "iam",
        "list_policies",
        "Policies[?!starts_with(Arn, 'arn:aws:iam::aws:')].Arn",
    ),
    "AWS::IAM::Role": Listing("iam", "list_roles", "Roles[].RoleName"),
    "AWS::IAM::User": Listing("iam", "list_users", "Users[].UserName"),
    "AWS::KMS::Alias": Listing("kms", "list_aliases", "Aliases[].AliasName"),
    "AWS::Kinesis::Stream": Listing("kinesis", "list_streams", "StreamNames[]"),
    "AWS::Lambda::EventSourceMapping": Listing(
        "lambda",
        "list_event_source_mappings",
        "EventSourceMappings[].UUID",
    ),
    "AWS::Lambda::Function": Listing("lambda", "list_functions", "Functions[].FunctionName"),
    "AWS::Lambda::LayerVersion": Listing("lambda", "list_layers", "Layers[].LayerName"),
    "AWS::Logs::LogGroup": Listing("logs", "describe_log_groups", "logGroups[].logGroupName"),
    "AWS::RDS::DBCluster": Listing(
        "rds", "describe_db_clusters", "DBClusters[].DBClusterIdentifier"
    ),
    "AWS::RDS::DBClusterParameterGroup": Listing(
        "rds",
        "describe_db_cluster_parameter_groups",
        "DBClusterParameterGroups[].DBClusterParameterGroupName",
    ),
    "AWS::RDS::DBInstance": Listing(
        "rds", "describe_db_instances", "DBInstances[].DBInstanceIdentifier"
    ),
    "AWS::RDS::DBParameterGroup": Listing(
        "rds", "describe_db_parameter_groups", "DBParameterGroups[].DBParameterGroupName"
    ),
    "AWS::RDS::DBSubnetGroup": Listing(
        "rds", "describe_db_subnet_groups", "DBSubnetGroups[].DBSubnetGroupName"
    ),
    "AWS::Route53::HealthCheck": Listing("route53", "list_health_checks", "HealthChecks[].Id"),
    "AWS::Route53::HostedZone": Listing("route53", "list_hosted_zones", "HostedZones[].Id"),
    "AWS::S3::Bucket": Listing("s3", "list_buckets", "Buckets[].Name"),
    "AWS::SNS::Topic": Listing("sns", "list_topics", "Topics[].TopicArn"),
    "AWS::SQS::Queue": Listing("sqs", "list_queues", "QueueUrls[]"),
    "AWS::SSM::Parameter": Listing("ssm", "describe_parameters", "Parameters[].Name"),
    "AWS::SecretsManager::Secret": Listing("secretsmanager", "list_secrets", "SecretList[].Name"),
    "AWS::StepFunctions::StateMachine": Listing(
        "stepfunctions",
        "list_state_machines",
        "stateMachines[].name",
    ),
}


# Types that the listing of another shows too, or that cannot be without their owner.
PARTS = frozenset(
    f"AWS::{service}::{part}"
    for service, parts in {
        "ApiGateway": "Account Authorizer Deployment GatewayResponse Method Model RequestValidator "
        "Resource Stage UsagePlanKey",
        "ApiGatewayV2": "Authorizer Deployment Integration Route Stage",
        "CDK": "Metadata",
        "CloudFormation": "CustomResource Stack WaitCondition WaitConditionHandle",
        "DynamoDB": "GlobalTable",
        "EC2": "EIPAssociation NetworkAclEntry NetworkInterfaceAttachment Route "
        "SecurityGroupEgress SecurityGroupIngress SubnetNetworkAclAssociation "
        "SubnetRouteTableAssociation VPCCidrBlock VPCGatewayAttachment VolumeAttachment",
        "ElasticLoadBalancingV2": "Listener ListenerRule",
        "ECS": "ClusterCapacityProviderAssociations Service",
        "EFS": "MountTarget",
        "EKS": "AccessEntry Addon",
        "Events": "EventBusPolicy",
        "IAM": "AccessKey GroupPolicy Policy RolePolicy UserPolicy UserToGroupAddition",
        "Kinesis": "ResourcePolicy StreamConsumer",
        "Lambda": "Alias EventInvokeConfig LayerVersionPermission Permission Url Version",
        "Logs": "LogStream MetricFilter SubscriptionFilter",
        "Route53": "RecordSet",
        "S3": "BucketPolicy",
        "SNS": "Subscription TopicInlinePolicy TopicPolicy",
        "SQS": "QueueInlinePolicy QueuePolicy",
        "SecretsManager": "ResourcePolicy RotationSchedule SecretTargetAttachment",
        "StepFunctions": "StateMachineAlias StateMachineVersion",
    }.items()
    for part in parts.split()
)


@dataclass(frozen=True, order=True)
class Holding:
    """A resource that a service lists."""

    resource_type: str
    name: str

    def __str__(self) -> str:
        """As it is shown to the person who wonders what is left."""
        return f"{self.resource_type} {self.name}"


def unlisted(emulated: Iterable[str]) -> list[str]:
    """Those of the types of which no inventory could tell whether they are gone."""
    return sorted(set(emulated) - set(LISTINGS) - PARTS)


def take_inventory(recorded: Iterable[str] = ()) -> set[Holding]:
    """Everything that the account holds of the types in ``LISTINGS``.

    Args:
        recorded: Further types, which no service of the emulator knows: Cloud Control lists them.
    """
    through_control = {
        resource_type: Listing(
            "cloudcontrol",
            "list_resources",
            "ResourceDescriptions[].Identifier",
            {"TypeName": resource_type},
        )
        for resource_type in recorded
    }
    listings = {**LISTINGS, **through_control}
    session = boto3.session.Session()
    clients = {
        service: session.client(service) for service in {each.service for each in listings.values()}
    }
    return {
        Holding(resource_type, str(name))
        for resource_type, listing in listings.items()
        for name in _names(clients[listing.service], listing)
    }


def _names(client: Any, listing: Listing) -> list[Any]:
    if client.can_paginate(listing.operation):
        pages = client.get_paginator(listing.operation).paginate(**listing.arguments)
        return list(pages.search(listing.path))
    answer = getattr(client, listing.operation)(**listing.arguments)
    return jmespath.search(listing.path, answer) or []
