"""What CloudFormation makes of a network, as EC2 then describes it."""

from typing import Any

import pytest

from tests.rehearsal.extension.conftest import Client, Deploy, Resources

VPC: Resources = {
    "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.1.0.0/16"}},
    "Subnet": {
        "Type": "AWS::EC2::Subnet",
        "Properties": {
            "VpcId": {"Ref": "Vpc"},
            "CidrBlock": "10.1.4.0/24",
            "AvailabilityZone": "us-east-1b",
        },
    },
}


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::EC2::{kind}", "Properties": properties}


ADDRESS = resource("EIP", Domain="vpc", Tags=[{"Key": "Name", "Value": "way out"}])


def test_an_elastic_ip_is_allocated_tagged_and_released(deploy: Deploy, client: Client) -> None:
    ec2 = client("ec2")
    stack = deploy({"Ip": ADDRESS}, Allocation={"Fn::GetAtt": ["Ip", "AllocationId"]})

    (address,) = ec2.describe_addresses(AllocationIds=[stack.outputs["Allocation"]])["Addresses"]
    tags = {tag["Key"]: tag["Value"] for tag in address["Tags"]}
    assert address["PublicIp"] == stack["Ip"]
    assert tags["Name"] == "way out"
    assert tags["team"] == "rehearsal"
    assert tags["aws:cloudformation:logical-id"] == "Ip"

    stack.delete()

    assert ec2.describe_addresses(AllocationIds=[address["AllocationId"]])["Addresses"] == []


def test_tags_follow_the_template(deploy: Deploy, client: Client) -> None:
    stack = deploy({"Ip": ADDRESS}, Allocation={"Fn::GetAtt": ["Ip", "AllocationId"]})
    allocation = stack.outputs["Allocation"]

    stack.update(
        {"Ip": resource("EIP", Tags=[{"Key": "Purpose", "Value": "NAT"}], Domain="vpc")},
        Allocation={"Fn::GetAtt": ["Ip", "AllocationId"]},
    )

    (address,) = client("ec2").describe_addresses(AllocationIds=[allocation])["Addresses"]
    tags = {tag["Key"]: tag["Value"] for tag in address["Tags"]}
    assert stack.outputs["Allocation"] == allocation
    assert "Name" not in tags
    assert tags["Purpose"] == "NAT"


def test_a_nat_gateway_has_the_address_it_was_given(deploy: Deploy, client: Client) -> None:
    ec2 = client("ec2")
    stack = deploy(
        {
            **VPC,
            "Ip": ADDRESS,
            "Nat": resource(
                "NatGateway",
                SubnetId={"Ref": "Subnet"},
                AllocationId={"Fn::GetAtt": ["Ip", "AllocationId"]},
            ),
        }
    )

    (gateway,) = ec2.describe_nat_gateways(NatGatewayIds=[stack["Nat"]])["NatGateways"]
    (address,) = gateway["NatGatewayAddresses"]
    assert gateway["SubnetId"] == stack["Subnet"]
    assert gateway["VpcId"] == stack["Vpc"]
    assert gateway["AvailabilityMode"] == "zonal"
    assert address["PublicIp"] == stack["Ip"]
    assert address["PrivateIp"].startswith("10.1.4.")

    stack.delete()

    (gateway,) = ec2.describe_nat_gateways(NatGatewayIds=[gateway["NatGatewayId"]])["NatGateways"]
    assert gateway["State"] == "deleted"


def test_a_nat_gateway_with_an_address_nobody_allocated_fails(attempt: Deploy) -> None:
    nat = resource("NatGateway", SubnetId={"Ref": "Subnet"}, AllocationId="eipalloc-0123456789")

    stack = attempt({**VPC, "Nat": nat})

    assert "The elastic IP address eipalloc-0123456789 does not exist" in stack.reasons


def test_a_regional_nat_gateway_is_in_a_vpc_and_no_subnet(deploy: Deploy, client: Client) -> None:
    stack = deploy(
        {**VPC, "Nat": resource("NatGateway", VpcId={"Ref": "Vpc"}, AvailabilityMode="regional")}
    )

    described = client("ec2").describe_nat_gateways(NatGatewayIds=[stack["Nat"]])
    (gateway,) = described["NatGateways"]
    assert gateway["AvailabilityMode"] == "regional"
    assert gateway["VpcId"] == stack["Vpc"]
    assert "SubnetId" not in gateway


def network_acl(ports: dict[str, int], action: str = "allow") -> Resources:
    return {
        **VPC,
        "Acl": resource("NetworkAcl", VpcId={"Ref": "Vpc"}),
        "Web": resource(
            "NetworkAclEntry",
            NetworkAclId={"Ref": "Acl"},
            RuleNumber=100,
            Protocol=6,
            RuleAction=action,
            CidrBlock="0.0.0.0/0",
            PortRange=ports,
        ),
        "Answers": resource(
            "NetworkAclEntry",
            NetworkAclId={"Ref": "Acl"},
            RuleNumber=100,
            Protocol=6,
            RuleAction="allow",
            Egress=True,
            CidrBlock="0.0.0.0/0",
            PortRange={"From": 1024, "To": 65535},
        ),
        "Guard": resource(
            "SubnetNetworkAclAssociation",
            SubnetId={"Ref": "Subnet"},
            NetworkAclId={"Ref": "Acl"},
        ),
    }


def described_acl(client: Client, identifier: str) -> dict[str, Any]:
    (described,) = client("ec2").describe_network_acls(NetworkAclIds=[identifier])["NetworkAcls"]
    return dict(described)


def rules(described: dict[str, Any]) -> dict[tuple[bool, int], tuple[str, Any]]:
    return {
        (entry["Egress"], entry["RuleNumber"]): (entry["RuleAction"], entry.get("PortRange"))
        for entry in described["Entries"]
    }


def test_a_network_acl_has_its_entries_with_ports_and_denies_the_rest(
    deploy: Deploy, client: Client
) -> None:
    stack = deploy(network_acl({"From": 443, "To": 443}))

    assert rules(described_acl(client, stack["Acl"])) == {
        (False, 100): ("allow", {"From": 443, "To": 443}),
        (True, 100): ("allow", {"From": 1024, "To": 65535}),
        (False, 32767): ("deny", None),
        (True, 32767): ("deny", None),
    }


def test_an_entry_of_a_network_acl_changes_in_place(deploy: Deploy, client: Client) -> None:
    stack = deploy(network_acl({"From": 443, "To": 443}))

    stack.update(network_acl({"From": 80, "To": 80}, action="deny"))

    entry = rules(described_acl(client, stack["Acl"]))[False, 100]
    assert entry == ("deny", {"From": 80, "To": 80})


def test_a_subnet_moves_to_its_network_acl_and_back_to_the_default_one(
    deploy: Deploy, client: Client
) -> None:
    def guarding(subnet: str) -> list[tuple[str, bool]]:
        return [
            (found["NetworkAclId"], found["IsDefault"])
            for found in client("ec2").describe_network_acls()["NetworkAcls"]
            if subnet in [association["SubnetId"] for association in found["Associations"]]
        ]

    stack = deploy(network_acl({"From": 443, "To": 443}))
    acl, subnet = stack["Acl"], stack["Subnet"]
    assert guarding(subnet) == [(acl, False)]

    stack.update(VPC)

    assert [default for _, default in guarding(subnet)] == [True]
    assert acl not in [
        found["NetworkAclId"] for found in client("ec2").describe_network_acls()["NetworkAcls"]
    ]


def test_a_new_subnet_is_guarded_by_the_default_network_acl(deploy: Deploy, client: Client) -> None:
    stack = deploy(VPC)

    (default,) = client("ec2").describe_network_acls(
        Filters=[
            {"Name": "vpc-id", "Values": [stack["Vpc"]]},
            {"Name": "default", "Values": ["true"]},
        ]
    )["NetworkAcls"]
    assert [a["SubnetId"] for a in default["Associations"]] == [stack["Subnet"]]


GROUPS: Resources = {
    **VPC,
    "Web": resource("SecurityGroup", GroupDescription="web", VpcId={"Ref": "Vpc"}),
    "Database": resource("SecurityGroup", GroupDescription="database", VpcId={"Ref": "Vpc"}),
}


def test_security_group_rules_name_the_other_group(deploy: Deploy, client: Client) -> None:
    ec2 = client("ec2")
    both = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "Description": "SQL"}
    web, database = ({"Fn::GetAtt": [group, "GroupId"]} for group in ("Web", "Database"))
    stack = deploy(
        {
            **GROUPS,
            "In": resource(
                "SecurityGroupIngress", GroupId=database, SourceSecurityGroupId=web, **both
            ),
            "Out": resource(
                "SecurityGroupEgress", GroupId=web, DestinationSecurityGroupId=database, **both
            ),
        }
    )

    (group,) = ec2.describe_security_groups(GroupIds=[stack["Database"]])["SecurityGroups"]
    (ingress,) = group["IpPermissions"]
    assert (ingress["FromPort"], ingress["ToPort"]) == (5432, 5432)
    assert [pair["GroupId"] for pair in ingress["UserIdGroupPairs"]] == [stack["Web"]]
    (group,) = ec2.describe_security_groups(GroupIds=[stack["Web"]])["SecurityGroups"]
    assert stack["Database"] in str(group["IpPermissionsEgress"])

    stack.update(GROUPS)

    (group,) = ec2.describe_security_groups(GroupIds=[stack["Database"]])["SecurityGroups"]
    assert group["IpPermissions"] == []
    (group,) = ec2.describe_security_groups(GroupIds=[stack["Web"]])["SecurityGroups"]
    assert stack["Database"] not in str(group["IpPermissionsEgress"])


@pytest.mark.parametrize(
    ("source", "ranges"),
    [
        ({"CidrIp": "10.0.0.0/8"}, ("IpRanges", "CidrIp", "10.0.0.0/8")),
        ({"CidrIpv6": "::/0"}, ("Ipv6Ranges", "CidrIpv6", "::/0")),
    ],
    ids=["IPv4", "IPv6"],
)
def test_security_group_rules_name_addresses(
    deploy: Deploy, client: Client, source: dict[str, str], ranges: tuple[str, str, str]
) -> None:
    rule = resource(
        "SecurityGroupIngress",
        GroupId={"Fn::GetAtt": ["Web", "GroupId"]},
        IpProtocol="-1",
        Description="office",
        **source,
    )
    stack = deploy({**GROUPS, "In": rule})

    described = client("ec2").describe_security_groups(GroupIds=[stack["Web"]])
    (permission,) = described["SecurityGroups"][0]["IpPermissions"]
    found, key, value = ranges
    assert permission[found][0][key] == value


def test_a_rule_that_ec2_would_lose_is_refused(attempt: Deploy) -> None:
    rule = resource(
        "SecurityGroupIngress",
        GroupId={"Fn::GetAtt": ["Web", "GroupId"]},
        IpProtocol="-1",
        SourcePrefixListId="pl-1",
    )

    stack = attempt({**GROUPS, "In": rule})

    assert "the rehearsal's EC2 keeps no prefix lists in security group rules" in stack.reasons


def test_a_peering_connection_of_one_account_is_active(deploy: Deploy, client: Client) -> None:
    ec2 = client("ec2")
    stack = deploy(
        {
            **VPC,
            "Other": resource("VPC", CidrBlock="10.2.0.0/16"),
            "Peering": resource(
                "VPCPeeringConnection", VpcId={"Ref": "Vpc"}, PeerVpcId={"Ref": "Other"}
            ),
        }
    )
    peering = stack["Peering"]

    (described,) = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering])[
        "VpcPeeringConnections"
    ]
    assert described["Status"]["Code"] == "active"
    assert described["AccepterVpcInfo"]["VpcId"] == stack["Other"]

    stack.delete()

    left = ec2.describe_vpc_peering_connections()["VpcPeeringConnections"]
    assert [p["Status"]["Code"] for p in left if p["VpcPeeringConnectionId"] == peering] in (
        [],
        ["deleted"],
    )


def test_a_flow_log_says_where_it_delivers(deploy: Deploy, client: Client) -> None:
    ec2 = client("ec2")
    stack = deploy(
        {
            **VPC,
            "Flows": resource(
                "FlowLog",
                ResourceId={"Ref": "Vpc"},
                ResourceType="VPC",
                TrafficType="REJECT",
                LogGroupName="flows",
                DeliverLogsPermissionArn="arn:aws:iam::111111111111:role/flows",
                MaxAggregationInterval=60,
            ),
        }
    )
    flows = stack["Flows"]

    (described,) = ec2.describe_flow_logs(FlowLogIds=[flows])["FlowLogs"]
    assert described["ResourceId"] == stack["Vpc"]
    assert described["TrafficType"] == "REJECT"
    assert described["LogGroupName"] == "flows"
    assert described["MaxAggregationInterval"] == 60
    assert described["DeliverLogsPermissionArn"].endswith("role/flows")

    stack.delete()

    assert ec2.describe_flow_logs(FlowLogIds=[flows])["FlowLogs"] == []


def test_a_network_interface_has_an_address_of_its_subnet(deploy: Deploy, client: Client) -> None:
    ec2 = client("ec2")

    def interface(check: bool) -> Resources:
        return {
            **VPC,
            "Eni": resource("NetworkInterface", SubnetId={"Ref": "Subnet"}, SourceDestCheck=check),
        }

    def described() -> Any:
        return ec2.describe_network_interfaces(NetworkInterfaceIds=[stack["Eni"]])[
            "NetworkInterfaces"
        ]

    stack = deploy(interface(True), Address={"Fn::GetAtt": ["Eni", "PrimaryPrivateIpAddress"]})
    (before,) = described()
    assert before["PrivateIpAddress"] == stack.outputs["Address"]
    assert before["PrivateIpAddress"].startswith("10.1.4.")
    assert before["SourceDestCheck"] is True
    assert {"Key": "team", "Value": "rehearsal"} in before["TagSet"]

    stack.update(interface(False))

    (after,) = described()
    assert after["SourceDestCheck"] is False
    assert after["PrivateIpAddress"] == before["PrivateIpAddress"]

    stack.update(VPC)

    left = ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert before["NetworkInterfaceId"] not in [i["NetworkInterfaceId"] for i in left]


def test_an_egress_only_internet_gateway_belongs_to_its_vpc(deploy: Deploy, client: Client) -> None:
    stack = deploy({**VPC, "Out": resource("EgressOnlyInternetGateway", VpcId={"Ref": "Vpc"})})

    described = client("ec2").describe_egress_only_internet_gateways()
    (gateway,) = described["EgressOnlyInternetGateways"]
    assert gateway["EgressOnlyInternetGatewayId"] == stack["Out"]
    assert gateway["Attachments"][0]["VpcId"] == stack["Vpc"]

    stack.delete()

    described = client("ec2").describe_egress_only_internet_gateways()
    assert described["EgressOnlyInternetGateways"] == []
