"""VPC endpoints: what MiniStack's CloudFormation takes of them and its EC2 does not give back.

Like on AWS, an endpoint that has subnets has a network interface in each.
"""

import json
from collections.abc import Mapping
from typing import Any

from rehearsal.extension import loopback, supplements
from rehearsal.extension.completions import Completion, Properties
from rehearsal.extension.network import private_address
from rehearsal.extension.resource_type import Request

_FULL_ACCESS = {
    "Version": "2008-10-17",
    "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}],
}


def _finish(endpoint: str, old: Properties, request: Request) -> Mapping[str, Any]:
    given = request.properties
    interfaces = _interfaces_in(given.get("SubnetIds", []), endpoint, old, given)
    policy = given.get("PolicyDocument", _FULL_ACCESS)
    supplements.put(
        endpoint,
        {
            "policyDocument": policy if isinstance(policy, str) else json.dumps(policy),
            "privateDnsEnabled": given.get("PrivateDnsEnabled", False),
            "groupSet": [{"groupId": group} for group in given.get("SecurityGroupIds", [])],
            "networkInterfaceIdSet": interfaces,
        },
    )
    return {"NetworkInterfaceIds": interfaces}


def _interfaces_in(
    subnets: list[str], endpoint: str, old: Properties, given: Properties
) -> list[str]:
    """The endpoint's network interfaces, one for each subnet, made and taken away as needed."""
    present = _interfaces_of(endpoint)
    # MiniStack cannot give an interface other groups.
    same_groups = old.get("SecurityGroupIds") == given.get("SecurityGroupIds")
    kept = {
        interface["SubnetId"]: interface["NetworkInterfaceId"]
        for interface in present
        if same_groups and interface["SubnetId"] in subnets
    }
    for interface in present:
        if interface["NetworkInterfaceId"] not in kept.values():
            _delete_interface(interface["NetworkInterfaceId"])
    groups = given.get("SecurityGroupIds", [])
    return [kept.get(subnet) or _create_interface(endpoint, subnet, groups) for subnet in subnets]


def _create_interface(endpoint: str, subnet: str, groups: list[str]) -> str:
    made = loopback.client("ec2").create_network_interface(
        SubnetId=subnet, Groups=groups, Description=_description(endpoint)
    )
    interface: str = made["NetworkInterface"]["NetworkInterfaceId"]
    address = private_address(subnet)
    supplements.put(
        interface,
        {
            "privateIpAddress": address,
            "privateIpAddressesSet": [{"privateIpAddress": address, "primary": True}],
            "interfaceType": "vpc_endpoint",
            "status": "in-use",
        },
    )
    return interface


def _delete_interface(interface: str) -> None:
    loopback.client("ec2").delete_network_interface(NetworkInterfaceId=interface)
    supplements.remove(interface)


def _interfaces_of(endpoint: str) -> list[dict[str, Any]]:
    described = loopback.client("ec2").describe_network_interfaces()["NetworkInterfaces"]
    return [each for each in described if each["Description"] == _description(endpoint)]


def _description(endpoint: str) -> str:
    return f"VPC Endpoint Interface {endpoint}"


def _before_delete(endpoint: str, properties: Properties) -> None:
    for interface in _interfaces_of(endpoint):
        _delete_interface(interface["NetworkInterfaceId"])
    supplements.remove(endpoint)


COMPLETIONS = {"AWS::EC2::VPCEndpoint": Completion(_finish, _before_delete)}
