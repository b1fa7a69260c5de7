"""What CloudFormation makes of VPC endpoints, as EC2 then describes them."""

import json
from typing import Any

from tests.rehearsal.extension.conftest import Client, Deploy, Resources

SERVICE = "com.amazonaws.us-east-1.sts"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "sts:GetCallerIdentity",
            "Resource": "*",
        }
    ],
}


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::EC2::{kind}", "Properties": properties}


def subnet(cidr: str) -> dict[str, Any]:
    return resource("Subnet", VpcId={"Ref": "Vpc"}, CidrBlock=cidr)


def group(description: str) -> dict[str, Any]:
    return resource("SecurityGroup", VpcId={"Ref": "Vpc"}, GroupDescription=description)


VPC: Resources = {
    "Vpc": resource("VPC", CidrBlock="10.1.0.0/16"),
    "One": subnet("10.1.1.0/24"),
    "Other": subnet("10.1.2.0/24"),
    "Doors": group("doors"),
    "Gates": group("gates"),
}


def interface_endpoint(
    subnets: tuple[str, ...], group: str = "Doors", **more: Any
) -> dict[str, Any]:
    return resource(
        "VPCEndpoint",
        VpcId={"Ref": "Vpc"},
        ServiceName=SERVICE,
        VpcEndpointType="Interface",
        SubnetIds=[{"Ref": each} for each in subnets],
        SecurityGroupIds=[{"Fn::GetAtt": [group, "GroupId"]}],
        **more,
    )


def described(client: Client, endpoint: str) -> dict[str, Any]:
    (found,) = client("ec2").describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"]
    return dict(found)


def interfaces(client: Client, endpoint: str) -> dict[str, dict[str, Any]]:
    """Its network interfaces by subnet; its VPC has no others."""
    found = [
        each
        for each in client("ec2").describe_network_interfaces()["NetworkInterfaces"]
        if each["VpcId"] == described(client, endpoint)["VpcId"]
    ]
    ids = described(client, endpoint)["NetworkInterfaceIds"]
    assert sorted(each["NetworkInterfaceId"] for each in found) == sorted(ids)
    return {each["SubnetId"]: each for each in found}


def test_an_interface_endpoint_has_an_interface_with_its_groups_in_every_subnet(
    deploy: Deploy, client: Client
) -> None:
    stack = deploy({**VPC, "Sts": interface_endpoint(("One", "Other"))})

    found = interfaces(client, stack["Sts"])
    assert found.keys() == {stack["One"], stack["Other"]}
    assert found[stack["One"]]["PrivateIpAddress"].startswith("10.1.1.")
    assert found[stack["Other"]]["PrivateIpAddress"].startswith("10.1.2.")
    for interface in found.values():
        assert interface["InterfaceType"] == "vpc_endpoint"
        assert [each["GroupId"] for each in interface["Groups"]] == [stack["Doors"]]
    assert [g["GroupId"] for g in described(client, stack["Sts"])["Groups"]] == [stack["Doors"]]


def test_the_interfaces_are_known_to_whoever_refers_to_them(deploy: Deploy, client: Client) -> None:
    stack = deploy(
        {**VPC, "Sts": interface_endpoint(("One",))},
        Interface={"Fn::Select": [0, {"Fn::GetAtt": ["Sts", "NetworkInterfaceIds"]}]},
    )

    [interface] = interfaces(client, stack["Sts"]).values()
    assert stack.outputs["Interface"] == interface["NetworkInterfaceId"]


def test_interfaces_follow_the_subnets_and_the_groups(deploy: Deploy, client: Client) -> None:
    stack = deploy({**VPC, "Sts": interface_endpoint(("One",))})
    before = interfaces(client, stack["Sts"])[stack["One"]]

    stack.update({**VPC, "Sts": interface_endpoint(("One", "Other"))})

    wider = interfaces(client, stack["Sts"])
    assert wider.keys() == {stack["One"], stack["Other"]}
    assert wider[stack["One"]] == before

    stack.update({**VPC, "Sts": interface_endpoint(("Other",))})

    assert interfaces(client, stack["Sts"]) == {stack["Other"]: wider[stack["Other"]]}

    stack.update({**VPC, "Sts": interface_endpoint(("Other",), group="Gates")})

    [moved] = interfaces(client, stack["Sts"]).values()
    assert [each["GroupId"] for each in moved["Groups"]] == [stack["Gates"]]
    assert described(client, stack["Sts"])["Groups"] == [{"GroupId": stack["Gates"]}]


def test_the_interfaces_go_with_their_endpoint(deploy: Deploy, client: Client) -> None:
    stack = deploy({**VPC, "Sts": interface_endpoint(("One", "Other"))})
    gone = {each["NetworkInterfaceId"] for each in interfaces(client, stack["Sts"]).values()}

    stack.update(VPC)

    left = client("ec2").describe_network_interfaces()["NetworkInterfaces"]
    assert not gone & {each["NetworkInterfaceId"] for each in left}


def test_an_endpoint_tells_its_policy_and_whether_its_names_are_private(
    deploy: Deploy, client: Client
) -> None:
    narrow = interface_endpoint(("One",), PolicyDocument=POLICY, PrivateDnsEnabled=True)
    stack = deploy({**VPC, "Sts": narrow})

    found = described(client, stack["Sts"])
    assert json.loads(found["PolicyDocument"]) == POLICY
    assert found["PrivateDnsEnabled"] is True

    stack.update({**VPC, "Sts": interface_endpoint(("One",))})

    found = described(client, stack["Sts"])
    assert json.loads(found["PolicyDocument"])["Statement"][0]["Action"] == "*"
    assert found["PrivateDnsEnabled"] is False


def test_a_gateway_endpoint_has_tables_and_no_interfaces(deploy: Deploy, client: Client) -> None:
    stack = deploy(
        {
            **VPC,
            "Table": resource("RouteTable", VpcId={"Ref": "Vpc"}),
            "S3": resource(
                "VPCEndpoint",
                VpcId={"Ref": "Vpc"},
                ServiceName="com.amazonaws.us-east-1.s3",
                RouteTableIds=[{"Ref": "Table"}],
            ),
        }
    )

    found = described(client, stack["S3"])
    assert found["VpcEndpointType"] == "Gateway"
    assert found["RouteTableIds"] == [stack["Table"]]
    assert found["NetworkInterfaceIds"] == []
