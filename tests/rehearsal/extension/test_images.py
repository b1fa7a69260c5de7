"""What the public parameters of images answer."""

import json

import pytest

from tests.rehearsal.extension.conftest import Client


@pytest.mark.parametrize("kernel", ["default", "6.1"])
def test_the_latest_image_differs_by_processor(client: Client, kernel: str) -> None:
    prefix = f"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-{kernel}"
    parameters = client("ssm").get_parameters(Names=[f"{prefix}-x86_64", f"{prefix}-arm64"])

    images = [parameter["Value"] for parameter in parameters["Parameters"]]
    assert len(set(images)) == 2
    assert all(image.startswith("ami-") for image in images)


def test_a_template_launches_what_the_parameter_names(client: Client) -> None:
    name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
    template = {
        "Parameters": {
            "Image": {"Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "Default": name}
        },
        "Resources": {
            "Box": {
                "Type": "AWS::EC2::Instance",
                "Properties": {"ImageId": {"Ref": "Image"}, "InstanceType": "t4g.nano"},
            }
        },
    }
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName="images", TemplateBody=json.dumps(template))
    try:
        cloudformation.get_waiter("stack_create_complete").wait(StackName="images")
        box = cloudformation.describe_stack_resource(StackName="images", LogicalResourceId="Box")
        [reservation] = client("ec2").describe_instances(
            InstanceIds=[box["StackResourceDetail"]["PhysicalResourceId"]]
        )["Reservations"]
        named = client("ssm").get_parameter(Name=name)["Parameter"]["Value"]
        assert reservation["Instances"][0]["ImageId"] == named
    finally:
        cloudformation.delete_stack(StackName="images")
