"""EC2's volumes, and what else instances are launched with: key pairs, placement groups."""

from rehearsal.extension import loopback
from rehearsal.extension.emulated import Emulated, Properties
from rehearsal.extension.resource_type import Attributes, Created, Request, ResourceType
from rehearsal.extension.shapes import call


def _modify_volume(physical_id: str, old: Properties, request: Request) -> None:
    changed = {n: v for n, v in request.properties.items() if old.get(n) != v and n != "Tags"}
    call(loopback.client("ec2"), "modify_volume", {**changed, "VolumeId": physical_id})


def _volume_supplement(request: Request, parameters: Properties) -> Properties:
    given = request.properties
    return {
        "multiAttachEnabled": given.get("MultiAttachEnabled", False),
        **({"throughput": given["Throughput"]} if "Throughput" in given else {}),
        **({"kmsKeyId": given["KmsKeyId"]} if "KmsKeyId" in given else {}),
    }


class _KeyPair:
    """Imports a public key, or makes a pair and puts its private half into Parameter Store."""

    def create(self, request: Request) -> Created:
        ec2 = loopback.client("ec2")
        name = request.properties["KeyName"]
        if material := request.properties.get("PublicKeyMaterial"):
            made = ec2.import_key_pair(KeyName=name, PublicKeyMaterial=material.encode())
        else:
            made = ec2.create_key_pair(KeyName=name)
            loopback.client("ssm").put_parameter(
                Name=_parameter(made["KeyPairId"]), Type="SecureString", Value=made["KeyMaterial"]
            )
        return name, {"KeyPairId": made["KeyPairId"], "KeyFingerprint": made["KeyFingerprint"]}

    def update(self, physical_id: str, old: Properties, request: Request) -> Attributes:
        raise NotImplementedError("each of its properties is create-only")

    def delete(self, physical_id: str, properties: Properties) -> None:
        ec2 = loopback.client("ec2")
        for pair in ec2.describe_key_pairs(KeyNames=[physical_id])["KeyPairs"]:
            loopback.client("ssm").delete_parameters(Names=[_parameter(pair["KeyPairId"])])
        ec2.delete_key_pair(KeyName=physical_id)


def _parameter(key_pair_id: str) -> str:
    return f"/ec2/keypair/{key_pair_id}"


EMULATED: dict[str, ResourceType] = {
    "AWS::EC2::Volume": Emulated(
        service="ec2",
        create_operation="create_volume",
        identifier="Answer.VolumeId",
        attributes={"VolumeId": "Answer.VolumeId"},
        tagged="Answer.VolumeId",
        supplement=_volume_supplement,
        described=frozenset({"AutoEnableIO"}),
        change=_modify_volume,
        delete_operation="delete_volume",
        delete_parameters={"VolumeId": "Id"},
    ),
    "AWS::EC2::VolumeAttachment": Emulated(
        service="ec2",
        create_operation="attach_volume",
        identifier="join('|', [Parameters.VolumeId, Parameters.InstanceId])",
        delete_operation="detach_volume",
        delete_parameters={
            "VolumeId": "Properties.VolumeId",
            "InstanceId": "Properties.InstanceId",
        },
    ),
    "AWS::EC2::KeyPair": _KeyPair(),
    "AWS::EC2::PlacementGroup": Emulated(
        service="ec2",
        create_operation="create_placement_group",
        identifier="Parameters.GroupName",
        attributes={
            "GroupName": "Parameters.GroupName",
            "GroupId": "Answer.PlacementGroup.GroupId",
        },
        named_by="GroupName",
        tagged="Answer.PlacementGroup.GroupId",
        delete_operation="delete_placement_group",
        delete_parameters={"GroupName": "Id"},
    ),
}
