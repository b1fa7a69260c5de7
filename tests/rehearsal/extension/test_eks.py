"""What CloudFormation makes of add-ons and access entries, as EKS then describes them."""

from typing import Any

import pytest

from tests.rehearsal.extension.conftest import Client, Deploy, Resources

EDIT = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSEditPolicy"
VIEW = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "eks.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def policy(arn: str, *namespaces: str) -> dict[str, Any]:
    scope: dict[str, Any] = {"Type": "cluster"}
    if namespaces:
        scope = {"Type": "namespace", "Namespaces": list(namespaces)}
    return {"PolicyArn": arn, "AccessScope": scope}


def cluster(*policies: dict[str, Any], settings: str = "{}") -> Resources:
    of_cluster = {"ClusterName": {"Ref": "Cluster"}}
    return {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": TRUST}},
        "Cluster": {
            "Type": "AWS::EKS::Cluster",
            "Properties": {
                "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                "ResourcesVpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"]},
            },
        },
        "Entry": {
            "Type": "AWS::EKS::AccessEntry",
            "Properties": {
                **of_cluster,
                "PrincipalArn": {"Fn::GetAtt": ["Role", "Arn"]},
                "AccessPolicies": list(policies),
            },
        },
        "Addon": {
            "Type": "AWS::EKS::Addon",
            "Properties": {
                **of_cluster,
                "AddonName": "metrics-server",
                "ConfigurationValues": settings,
            },
        },
    }


ROLE = {"Fn::GetAtt": ["Role", "Arn"]}


def policies(client: Client, name: str, principal: str) -> dict[str, Any]:
    """The access scopes of a principal, by policy."""
    associated = client("eks").list_associated_access_policies(
        clusterName=name, principalArn=principal
    )["associatedAccessPolicies"]
    return {each["policyArn"]: each["accessScope"] for each in associated}


def test_an_add_on_is_installed_in_its_cluster_and_taken_away_again(
    deploy: Deploy, client: Client
) -> None:
    stack = deploy(cluster(), Arn={"Fn::GetAtt": ["Addon", "Arn"]})
    eks, name = client("eks"), stack["Cluster"]

    addon = eks.describe_addon(clusterName=name, addonName="metrics-server")["addon"]
    assert addon["status"] == "ACTIVE"
    assert addon["addonArn"] == stack.outputs["Arn"]
    assert stack["Addon"] == f"{name}|metrics-server"
    assert addon["tags"] == {"team": "rehearsal"}

    without = cluster()
    del without["Addon"]
    stack.update(without)

    assert eks.list_addons(clusterName=name)["addons"] == []


def test_a_changed_configuration_reaches_the_add_on(deploy: Deploy, client: Client) -> None:
    stack = deploy(cluster(settings='{"replicas": 1}'))

    stack.update(cluster(settings='{"replicas": 2}'))

    addon = client("eks").describe_addon(clusterName=stack["Cluster"], addonName="metrics-server")[
        "addon"
    ]
    assert addon["configurationValues"] == '{"replicas": 2}'


def test_a_principal_has_the_policies_of_its_entry_in_their_namespaces(
    deploy: Deploy, client: Client
) -> None:
    stack = deploy(cluster(policy(EDIT, "shop")), Role=ROLE)

    assert policies(client, stack["Cluster"], stack.outputs["Role"]) == {
        EDIT: {"type": "namespace", "namespaces": ["shop"]}
    }


def test_policies_of_an_entry_are_widened_added_and_taken_away(
    deploy: Deploy, client: Client
) -> None:
    stack = deploy(cluster(policy(EDIT, "shop")), Role=ROLE)

    stack.update(cluster(policy(EDIT, "shop", "bank"), policy(VIEW)), Role=ROLE)

    now = policies(client, stack["Cluster"], stack.outputs["Role"])
    assert now[EDIT]["namespaces"] == ["shop", "bank"]
    assert now[VIEW]["type"] == "cluster"

    stack.update(cluster(policy(VIEW)), Role=ROLE)

    assert policies(client, stack["Cluster"], stack.outputs["Role"]).keys() == {VIEW}


def test_an_entry_goes_with_its_resource(deploy: Deploy, client: Client) -> None:
    stack = deploy(cluster(policy(EDIT, "shop")))
    without = cluster()
    del without["Entry"]

    stack.update(without)

    assert client("eks").list_access_entries(clusterName=stack["Cluster"])["accessEntries"] == []


@pytest.mark.parametrize("gone", ["Addon", "Entry"])
def test_what_was_deleted_by_hand_does_not_stop_the_deletion_of_the_stack(
    deploy: Deploy, client: Client, gone: str
) -> None:
    stack = deploy(cluster(), Role=ROLE)
    eks, name = client("eks"), stack["Cluster"]
    if gone == "Addon":
        eks.delete_addon(clusterName=name, addonName="metrics-server")
    else:
        eks.delete_access_entry(clusterName=name, principalArn=stack.outputs["Role"])

    stack.delete()

    assert name not in eks.list_clusters()["clusters"]
