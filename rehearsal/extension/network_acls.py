"""EC2's network ACLs: their entries, the subnets they guard, and the default one of every VPC."""

import uuid
from dataclasses import dataclass

from rehearsal.extension import loopback, ministack
from rehearsal.extension.completions import Completion
from rehearsal.extension.emulated import Emulated, Properties
from rehearsal.extension.network import subnet
from rehearsal.extension.resource_type import Attributes, Created, Request, ResourceType
from rehearsal.extension.shapes import call

# The rule that every network ACL ends with, and that nobody can change.
_LAST_RULE = 32767


@dataclass(frozen=True)
class _NetworkAcl(Emulated):
    """Denies everything until entries allow something."""

    def create(self, request: Request) -> Created:
        network_acl, attributes = super().create(request)
        for egress in (False, True):
            loopback.client("ec2").create_network_acl_entry(
                NetworkAclId=network_acl,
                RuleNumber=_LAST_RULE,
                Protocol="-1",
                RuleAction="deny",
                Egress=egress,
                CidrBlock="0.0.0.0/0",
            )
        return network_acl, attributes


class _SubnetNetworkAclAssociation:
    """Moves a subnet to another network ACL, and back to the default one of its VPC.

    MiniStack's ``ReplaceNetworkAclAssociation`` forgets which subnet it is about, so this writes
    to its records.
    """

    def create(self, request: Request) -> Created:
        association = associate(request.properties["SubnetId"], request.properties["NetworkAclId"])
        return association, {"AssociationId": association}

    def update(self, physical_id: str, old: Properties, request: Request) -> Attributes:
        raise NotImplementedError("each of its properties is create-only")

    def delete(self, physical_id: str, properties: Properties) -> None:
        associated = {
            association["NetworkAclAssociationId"]
            for network_acl in ministack.network_acls().values()
            for association in network_acl["Associations"]
        }
        # A replacement has taken the subnet over already: then there is nothing to give back.
        if physical_id in associated:
            associate_with_default(properties["SubnetId"])


def associate(subnet_id: str, network_acl_id: str) -> str:
    """Have a network ACL, and no other, guard a subnet; the id of this association."""
    disassociate(subnet_id)
    association = f"aclassoc-{uuid.uuid4().hex[:17]}"
    ministack.network_acls()[network_acl_id]["Associations"].append(
        {"NetworkAclAssociationId": association, "SubnetId": subnet_id}
    )
    return association


def disassociate(subnet_id: str) -> None:
    """Have no network ACL guard a subnet, which is about to go."""
    for network_acl in ministack.network_acls().values():
        network_acl["Associations"] = [
            association
            for association in network_acl["Associations"]
            if association["SubnetId"] != subnet_id
        ]


def associate_with_default(subnet_id: str) -> None:
    """Have the default network ACL of its VPC guard a subnet, as it does from the start."""
    vpc = subnet(subnet_id)["VpcId"]
    for identifier, network_acl in ministack.network_acls().items():
        if network_acl["IsDefault"] and network_acl["VpcId"] == vpc:
            associate(subnet_id, identifier)


def _entry_supplement(request: Request, parameters: Properties) -> Properties:
    ports = request.properties.get("PortRange", {})
    icmp = request.properties.get("Icmp", {})
    return {
        **({"portRange": {"from": ports["From"], "to": ports["To"]}} if ports else {}),
        **({"icmpTypeCode": {"code": icmp["Code"], "type": icmp["Type"]}} if icmp else {}),
    }


def _replace_entry(physical_id: str, old: Properties, request: Request) -> None:
    call(
        loopback.client("ec2"),
        "replace_network_acl_entry",
        {"Egress": False, **request.properties},
    )


COMPLETIONS = {
    "AWS::EC2::Subnet": Completion(
        finish=lambda subnet_id, old, request: None if old else associate_with_default(subnet_id),
        before_delete=lambda subnet_id, properties: disassociate(subnet_id),
    ),
}

EMULATED: dict[str, ResourceType] = {
    "AWS::EC2::NetworkAcl": _NetworkAcl(
        service="ec2",
        create_operation="create_network_acl",
        identifier="Answer.NetworkAcl.NetworkAclId",
        attributes={"Id": "Answer.NetworkAcl.NetworkAclId"},
        tagged="Answer.NetworkAcl.NetworkAclId",
        delete_operation="delete_network_acl",
        delete_parameters={"NetworkAclId": "Id"},
    ),
    "AWS::EC2::NetworkAclEntry": Emulated(
        service="ec2",
        create_operation="create_network_acl_entry",
        # As supplements.entry_identifier has it.
        identifier="join('/', [Parameters.NetworkAclId, Parameters.Egress && 'egress' || "
        "'ingress', to_string(Parameters.RuleNumber)])",
        parameters=lambda request: {
            "Egress": str(request.properties.get("Egress", False)).lower() == "true"
        },
        supplement=_entry_supplement,
        change=_replace_entry,
        delete_operation="delete_network_acl_entry",
        delete_parameters={
            "NetworkAclId": "Properties.NetworkAclId",
            "RuleNumber": "Properties.RuleNumber",
            "Egress": "Properties.Egress || `false`",
        },
    ),
    "AWS::EC2::SubnetNetworkAclAssociation": _SubnetNetworkAclAssociation(),
}
