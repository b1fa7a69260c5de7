"""EC2's resources that a network is made of, beyond those that MiniStack makes itself."""

import ipaddress
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rehearsal.extension import loopback, ministack
from rehearsal.extension.emulated import Emulated, Properties
from rehearsal.extension.resource_type import Created, Request, ResourceType


def subnet(subnet_id: str) -> dict[str, Any]:
    """EC2's description of a subnet; its error if there is none."""
    described: dict[str, Any] = loopback.client("ec2").describe_subnets(SubnetIds=[subnet_id])[
        "Subnets"
    ][0]
    return described


def private_address(subnet_id: str) -> str:
    """An address of a subnet. MiniStack would take one from anywhere."""
    block = ipaddress.ip_network(subnet(subnet_id)["CidrBlock"])
    # AWS keeps the first four and the last address of every subnet for itself.
    return str(block[random.randrange(4, block.num_addresses - 1)])


@dataclass(frozen=True)
class _ElasticIp(Emulated):
    """Allocates an address, and gives it to an instance if there is one to give it to."""

    def create(self, request: Request) -> Created:
        public_ip, attributes = super().create(request)
        if instance := request.properties.get("InstanceId"):
            loopback.client("ec2").associate_address(
                AllocationId=attributes["AllocationId"], InstanceId=instance
            )
        return public_ip, attributes


def _nat_gateway_parameters(request: Request) -> Properties:
    given = request.properties
    if "SubnetId" in given:
        return {
            "PrivateIpAddress": given.get("PrivateIpAddress", private_address(given["SubnetId"]))
        }
    # A regional NAT gateway is in no subnet, but MiniStack does not know any other.
    subnets = loopback.client("ec2").describe_subnets(
        Filters=[{"Name": "vpc-id", "Values": [given["VpcId"]]}]
    )["Subnets"]
    return {"SubnetId": subnets[0]["SubnetId"] if subnets else "subnet-regional"}


def _nat_gateway_supplement(request: Request, parameters: Properties) -> Properties:
    given = request.properties
    if given.get("AvailabilityMode") == "regional":
        return {
            "availabilityMode": "regional",
            "vpcId": given["VpcId"],
            "subnetId": None,
            "autoScalingIps": "enabled",
            "autoProvisionZones": "enabled",
        }
    address = {
        "privateIp": parameters["PrivateIpAddress"],
        "isPrimary": True,
        "status": "succeeded",
    }
    if allocation := given.get("AllocationId"):
        addresses = loopback.client("ec2").describe_addresses(AllocationIds=[allocation])
        if not addresses["Addresses"]:
            raise ValueError(f"The elastic IP address {allocation} does not exist")
        address |= {
            "allocationId": allocation,
            "publicIp": addresses["Addresses"][0]["PublicIp"],
        }
    return {"availabilityMode": "zonal", "natGatewayAddressSet": [address]}


def _security_group_rule(direction: str) -> Emulated:
    def permission(request: Request) -> Properties:
        given = request.properties
        if f"{end}PrefixListId" in given:
            raise ValueError("the rehearsal's EC2 keeps no prefix lists in security group rules")
        ports = {name: given[name] for name in ("FromPort", "ToPort") if name in given}
        description = {"Description": given["Description"]} if "Description" in given else {}
        sources = {
            "IpRanges": _source(given, "CidrIp", description, "CidrIp"),
            "Ipv6Ranges": _source(given, "CidrIpv6", description, "CidrIpv6"),
            "UserIdGroupPairs": _source(given, f"{end}SecurityGroupId", description, "GroupId"),
        }
        return {
            "GroupId": given["GroupId"],
            "IpPermissions": [{"IpProtocol": given["IpProtocol"], **ports, **sources}],
        }

    end = "Source" if direction == "ingress" else "Destination"
    of_permission = ("CidrIp", "CidrIpv6", "Description", "FromPort", "IpProtocol", "ToPort")
    return Emulated(
        service="ec2",
        create_operation=f"authorize_security_group_{direction}",
        identifier="Answer.SecurityGroupRules[0].SecurityGroupRuleId",
        attributes={"Id": "Answer.SecurityGroupRules[0].SecurityGroupRuleId"},
        delete_operation=f"revoke_security_group_{direction}",
        delete_parameters={"GroupId": "Properties.GroupId", "SecurityGroupRuleIds": "[Id]"},
        parameters=permission,
        renamed=dict.fromkeys(of_permission, ""),
    )


def _source(
    given: Properties, name: str, description: Mapping[str, str], parameter: str
) -> list[Properties]:
    return [{parameter: given[name], **description}] if name in given else []


@dataclass(frozen=True)
class _PeeringConnection(Emulated):
    """Asks, and accepts where the other VPC is this account's, as CloudFormation does."""

    def create(self, request: Request) -> Created:
        peering, attributes = super().create(request)
        if request.properties.get("PeerOwnerId", ministack.account()) == ministack.account():
            loopback.client(
                "ec2", region=request.properties.get("PeerRegion")
            ).accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
        return peering, attributes


def _flow_log_supplement(request: Request, parameters: Properties) -> Properties:
    given = request.properties
    return {
        "deliverLogsStatus": "SUCCESS",
        "logGroupName": given.get("LogGroupName"),
        "deliverLogsPermissionArn": given.get("DeliverLogsPermissionArn"),
        "maxAggregationInterval": given.get("MaxAggregationInterval", 600),
        "logFormat": given.get("LogFormat"),
    }


def _interface_supplement(request: Request, parameters: Properties) -> Properties:
    address = parameters["PrivateIpAddress"]
    return {
        "privateIpAddress": address,
        "privateIpAddressesSet": [{"privateIpAddress": address, "primary": True}],
        "sourceDestCheck": request.properties.get("SourceDestCheck", True),
        "description": request.properties.get("Description", ""),
    }


EMULATED: dict[str, ResourceType] = {
    "AWS::EC2::EIP": _ElasticIp(
        service="ec2",
        create_operation="allocate_address",
        identifier="Answer.PublicIp",
        attributes={"AllocationId": "Answer.AllocationId", "PublicIp": "Answer.PublicIp"},
        tagged="Answer.AllocationId",
        delete_operation="release_address",
        delete_parameters={"AllocationId": "Attributes.AllocationId"},
    ),
    "AWS::EC2::EIPAssociation": Emulated(
        service="ec2",
        create_operation="associate_address",
        identifier="Answer.AssociationId",
        attributes={"Id": "Answer.AssociationId"},
        delete_operation="disassociate_address",
        delete_parameters={"AssociationId": "Id"},
    ),
    "AWS::EC2::NatGateway": Emulated(
        service="ec2",
        create_operation="create_nat_gateway",
        identifier="Answer.NatGateway.NatGatewayId",
        attributes={"NatGatewayId": "Answer.NatGateway.NatGatewayId"},
        tagged="Answer.NatGateway.NatGatewayId",
        parameters=_nat_gateway_parameters,
        supplement=_nat_gateway_supplement,
        delete_operation="delete_nat_gateway",
        delete_parameters={"NatGatewayId": "Id"},
    ),
    "AWS::EC2::EgressOnlyInternetGateway": Emulated(
        service="ec2",
        create_operation="create_egress_only_internet_gateway",
        identifier="Answer.EgressOnlyInternetGateway.EgressOnlyInternetGatewayId",
        attributes={"Id": "Answer.EgressOnlyInternetGateway.EgressOnlyInternetGatewayId"},
        tagged="Answer.EgressOnlyInternetGateway.EgressOnlyInternetGatewayId",
        delete_operation="delete_egress_only_internet_gateway",
        delete_parameters={"EgressOnlyInternetGatewayId": "Id"},
    ),
    "AWS::EC2::SecurityGroupIngress": _security_group_rule("ingress"),
    "AWS::EC2::SecurityGroupEgress": _security_group_rule("egress"),
    "AWS::EC2::VPCPeeringConnection": _PeeringConnection(
        service="ec2",
        create_operation="create_vpc_peering_connection",
        identifier="Answer.VpcPeeringConnection.VpcPeeringConnectionId",
        attributes={"Id": "Answer.VpcPeeringConnection.VpcPeeringConnectionId"},
        tagged="Answer.VpcPeeringConnection.VpcPeeringConnectionId",
        delete_operation="delete_vpc_peering_connection",
        delete_parameters={"VpcPeeringConnectionId": "Id"},
    ),
    "AWS::EC2::FlowLog": Emulated(
        service="ec2",
        create_operation="create_flow_logs",
        identifier="Answer.FlowLogIds[0]",
        attributes={"Id": "Answer.FlowLogIds[0]"},
        tagged="Answer.FlowLogIds[0]",
        renamed={"ResourceId": "ResourceIds"},
        supplement=_flow_log_supplement,
        delete_operation="delete_flow_logs",
        delete_parameters={"FlowLogIds": "[Id]"},
    ),
    "AWS::EC2::NetworkInterface": Emulated(
        service="ec2",
        create_operation="create_network_interface",
        identifier="Answer.NetworkInterface.NetworkInterfaceId",
        attributes={
            "Id": "Answer.NetworkInterface.NetworkInterfaceId",
            "PrimaryPrivateIpAddress": "Parameters.PrivateIpAddress",
            "VpcId": "Answer.NetworkInterface.VpcId",
        },
        tagged="Answer.NetworkInterface.NetworkInterfaceId",
        renamed={"GroupSet": "Groups"},
        parameters=lambda request: {
            "PrivateIpAddress": request.properties.get("PrivateIpAddress")
            or private_address(request.properties["SubnetId"])
        },
        supplement=_interface_supplement,
        described=frozenset({"Description", "SourceDestCheck"}),
        delete_operation="delete_network_interface",
        delete_parameters={"NetworkInterfaceId": "Id"},
    ),
    "AWS::EC2::NetworkInterfaceAttachment": Emulated(
        service="ec2",
        create_operation="attach_network_interface",
        identifier="Answer.AttachmentId",
        attributes={"AttachmentId": "Answer.AttachmentId"},
        delete_operation="detach_network_interface",
        delete_parameters={"AttachmentId": "Id"},
    ),
}
