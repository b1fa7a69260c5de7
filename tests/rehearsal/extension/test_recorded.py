import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.rehearsal.extension.conftest import Client, Deploy, Resources

CLUSTER = "AWS::MemoryDB::Cluster"


def cluster(**properties: Any) -> Resources:
    return {
        "Cluster": {
            "Type": CLUSTER,
            "Properties": {"NodeType": "db.t4g.small", "ACLName": "open-access", **properties},
        }
    }


def record(client: Client, identifier: str, resource_type: str = CLUSTER) -> dict[str, Any]:
    described = client("cloudcontrol").get_resource(TypeName=resource_type, Identifier=identifier)
    properties: dict[str, Any] = json.loads(described["ResourceDescription"]["Properties"])
    return properties


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        (
            {"ClusterName": "bad", "NodeTipe": "x"},
            "#/NodeTipe: Additional properties are not allowed",
        ),
        ({"ClusterName": "bad", "NumShards": "many"}, "#/NumShards: 'many' is not of type"),
        ({"ClusterName": "bad", "Status": "available"}, "#/Status: is read-only"),
    ],
    ids=["unknown", "mistyped", "read-only"],
)
def test_bad_properties_are_refused_with_the_reason(
    attempt: Deploy, client: Client, properties: dict[str, Any], reason: str
) -> None:
    stack = attempt(cluster(**properties))

    assert stack.status == "ROLLBACK_COMPLETE"
    assert f"resource Cluster ({CLUSTER}): {reason}" in stack.reasons[0]
    with pytest.raises(ClientError, match="ResourceNotFound"):
        record(client, "bad")


def test_a_missing_property_is_named(attempt: Deploy) -> None:
    stack = attempt({"Cluster": {"Type": CLUSTER, "Properties": {"ClusterName": "incomplete"}}})

    assert "'NodeType' is a required property" in stack.reasons[0]
    assert "'ACLName' is a required property" in stack.reasons[0]


def test_a_number_may_be_written_as_text_as_cloudformation_allows(
    deploy: Deploy, client: Client
) -> None:
    deploy(cluster(ClusterName="cast", NumShards="2"))

    assert record(client, "cast")["NumShards"] == "2"


def test_references_and_attributes_resolve(deploy: Deploy) -> None:
    stack = deploy(
        cluster(ClusterName="attributes"),
        Name={"Ref": "Cluster"},
        Arn={"Fn::GetAtt": ["Cluster", "ARN"]},
        Address={"Fn::GetAtt": ["Cluster", "ClusterEndpoint.Address"]},
        Port={"Fn::GetAtt": ["Cluster", "ClusterEndpoint.Port"]},
    )

    assert stack.outputs["Name"] == "attributes"
    assert stack.outputs["Arn"].startswith("arn:aws:memorydb:us-east-1:111111111111:")
    assert stack.outputs["Address"].endswith(".recorded.invalid")
    assert stack.outputs["Port"].isdigit()


def test_it_is_listed_as_recorded_and_gone_after_delete(deploy: Deploy, client: Client) -> None:
    control = client("cloudcontrol")
    stack = deploy(cluster(ClusterName="listed"))

    listed = control.list_resources(TypeName=CLUSTER)["ResourceDescriptions"]
    assert [found["Identifier"] for found in listed] == ["listed"]
    assert record(client, "listed")["rehearsal:tier"] == "recorded"
    assert record(client, "listed")["NodeType"] == "db.t4g.small"

    stack.delete()

    assert control.list_resources(TypeName=CLUSTER)["ResourceDescriptions"] == []


def test_a_name_that_is_taken_is_refused(deploy: Deploy, attempt: Deploy, client: Client) -> None:
    deploy(cluster(ClusterName="once"))

    second = attempt(cluster(ClusterName="once"))

    assert "AWS::MemoryDB::Cluster once already exists" in second.reasons
    assert record(client, "once")


def test_names_are_made_up_where_the_template_gives_none(deploy: Deploy, client: Client) -> None:
    group = {"Type": "AWS::CodeDeploy::Application", "Properties": {}}

    stack = deploy({"First": group, "Second": group})

    assert stack["First"] != stack["Second"]
    assert stack["First"].startswith(f"{stack.name}-First-")


def test_a_change_in_place_keeps_the_resource_and_drops_what_was_left_out(
    deploy: Deploy, client: Client
) -> None:
    stack = deploy(cluster(ClusterName="changed", Description="before", NumShards=1))

    stack.update(cluster(ClusterName="changed", NumShards=2))

    assert stack["Cluster"] == "changed"
    assert record(client, "changed")["NumShards"] == 2
    assert "Description" not in record(client, "changed")


def test_a_change_of_a_create_only_property_replaces(deploy: Deploy, client: Client) -> None:
    stack = deploy(cluster(ClusterName="before", Port=6379))

    stack.update(cluster(ClusterName="after", Port=6380))

    listed = client("cloudcontrol").list_resources(TypeName=CLUSTER)["ResourceDescriptions"]
    assert [found["Identifier"] for found in listed] == ["after"]


def test_a_change_within_a_create_only_property_replaces(deploy: Deploy, client: Client) -> None:
    def channel(region: str) -> Resources:
        return {
            "Pool": {
                "Type": "AWS::Chime::MediaPipelineKinesisVideoStreamPool",
                "Properties": {"PoolName": "pool", "StreamConfiguration": {"Region": region}},
            }
        }

    stack = deploy(channel("us-east-1"))
    before = stack["Pool"]

    stack.update(channel("us-west-2"))

    assert stack["Pool"] != before


def test_a_change_set_says_that_it_will_replace(deploy: Deploy, client: Client) -> None:
    stack = deploy(cluster(ClusterName="planned", NumShards=1))
    template = {"Resources": cluster(ClusterName="planned-anew", NumShards=1)}
    cloudformation = client("cloudformation")

    cloudformation.create_change_set(
        StackName=stack.name, ChangeSetName="rename", TemplateBody=json.dumps(template)
    )

    changes = cloudformation.describe_change_set(StackName=stack.name, ChangeSetName="rename")
    assert changes["Changes"][0]["ResourceChange"]["Replacement"] == "True"
