"""What must stay true of the eks blueprint; the snapshot shows whatever else changed."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
import yaml
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_logs as logs
from syrupy.assertion import SnapshotAssertion

from patterns.validations import InvalidArgumentError
from stacks.eks import EksStack
from stacks.profile import Nat
from tests.assembly import ROOT, Assembly, StackTemplate, alone

OFFICE = "203.0.113.0/24"


def test_snapshot(assembly: Assembly, snapshot: SnapshotAssertion) -> None:
    assert assembly.stacks["eks"].body == snapshot


@pytest.fixture
def cluster_stack(sandbox: Assembly) -> StackTemplate:
    return sandbox.stacks["eks"]


def compose(
    app: cdk.App,
    *,
    nat: Nat = Nat.GATEWAY,
    version: eks.KubernetesVersion = eks.KubernetesVersion.V1_36,
    api_clients: tuple[str, ...] | None = None,
) -> None:
    """The stack, in a network of its own."""
    surroundings = cdk.Stack(app, "surroundings")
    EksStack(
        app,
        "eks",
        vpc=ec2.Vpc(surroundings, "Network", nat_gateways=1, restrict_default_security_group=False),
        nat=nat,
        version=version,
        deletion_protection=False,
        log_retention=logs.RetentionDays.ONE_WEEK,
        api_clients=api_clients,
    )


def network(stack: StackTemplate) -> dict[str, Any]:
    config: dict[str, Any] = stack["Cluster"]["ResourcesVpcConfig"]
    return config


def kinds(stack: StackTemplate) -> set[str]:
    """The kinds of subnets that the cluster and its nodes lie in."""
    return {
        kind
        for subnet in network(stack)["SubnetIds"]
        for kind in ("PublicSubnet", "PrivateSubnet", "IsolatedSubnet")
        if kind in str(subnet)
    }


@pytest.mark.concept("eks.kubernetes")
def test_cluster_and_nodes_lie_in_private_subnets_where_these_reach_the_internet(
    cluster_stack: StackTemplate, production: Assembly
) -> None:
    assert kinds(production.stacks["eks"]) == {"PrivateSubnet"}
    assert len(network(production.stacks["eks"])["SubnetIds"]) == 2
    assert kinds(cluster_stack) == {"PublicSubnet"}


@pytest.mark.concept("eks.kubernetes")
def test_eks_makes_the_nodes_that_pods_need(assembly: Assembly) -> None:
    stack = assembly.stacks["eks"]

    assert stack["Cluster"]["ComputeConfig"] == {
        "Enabled": True,
        "NodePools": ["general-purpose"],
        "NodeRoleArn": stack.att("Nodes"),
    }
    assert stack["Cluster"]["StorageConfig"] == {"BlockStorage": {"Enabled": True}}
    balancing = stack["Cluster"]["KubernetesNetworkConfig"]["ElasticLoadBalancing"]
    assert balancing == {"Enabled": True}
    assert "AWS::EKS::Nodegroup" not in stack.types()


@pytest.mark.concept("eks.kubernetes")
def test_the_version_is_an_argument_and_never_slides_into_extended_support(
    assembly: Assembly,
) -> None:
    older = alone(compose, version=eks.KubernetesVersion.V1_35).stacks["eks"]

    assert older["Cluster"]["Version"] == "1.35"
    assert assembly.stacks["eks"]["Cluster"]["Version"] == "1.36"
    for stack in (older, assembly.stacks["eks"]):
        assert stack["Cluster"]["UpgradePolicy"] == {"SupportType": "STANDARD"}


def test_an_add_on_runs_on_every_node(cluster_stack: StackTemplate) -> None:
    assert cluster_stack["NodeExporter"] == {
        "AddonName": "prometheus-node-exporter",
        "ClusterName": cluster_stack.ref("Cluster"),
    }


def test_operators_edit_one_namespace_and_nobody_else_is_let_in(
    cluster_stack: StackTemplate,
) -> None:
    [entry] = cluster_stack.of_type("AWS::EKS::AccessEntry").values()
    [policy] = entry["AccessPolicies"]

    assert entry["PrincipalArn"] == cluster_stack.att("Operators")
    assert policy["PolicyArn"]["Fn::Join"][1][-1] == (
        ":eks::aws:cluster-access-policy/AmazonEKSEditPolicy"
    )
    assert policy["AccessScope"] == {"Type": "namespace", "Namespaces": ["default"]}
    assert cluster_stack["Cluster"]["AccessConfig"] == {
        "AuthenticationMode": "API",
        "BootstrapClusterCreatorAdminPermissions": False,
    }


def test_operators_may_do_nothing_in_aws_but_find_the_cluster(
    cluster_stack: StackTemplate,
) -> None:
    assert cluster_stack.allowed("Operators", cluster_stack.att("Cluster")) == {
        "eks:DescribeCluster"
    }
    assert len(cluster_stack.statements("Operators")) == 1


def test_nodes_may_join_and_pull_images_only(cluster_stack: StackTemplate) -> None:
    policies = {
        policy["Fn::Join"][1][-1].rpartition("/")[2]
        for policy in cluster_stack["Nodes"]["ManagedPolicyArns"]
    }

    assert policies == {"AmazonEKSWorkerNodeMinimalPolicy", "AmazonEC2ContainerRegistryPullOnly"}


def test_the_whole_control_plane_logs_to_a_group_of_the_stack(cluster_stack: StackTemplate) -> None:
    logging = cluster_stack["Cluster"]["Logging"]["ClusterLogging"]["EnabledTypes"]
    name = cluster_stack["Cluster"]["Name"]
    group = cluster_stack.body["Resources"][cluster_stack.logical_id("ControlPlaneLogs")]

    assert {each["Type"] for each in logging} == {
        "api",
        "audit",
        "authenticator",
        "controllerManager",
        "scheduler",
    }
    assert group["Properties"]["LogGroupName"] == f"/aws/eks/{name}/cluster"
    assert group["DeletionPolicy"] == "Delete"
    cluster = cluster_stack.body["Resources"][cluster_stack.logical_id("Cluster")]
    assert cluster_stack.logical_id("ControlPlaneLogs") in cluster["DependsOn"]


def test_the_api_is_reached_from_the_vpc_and_from_anywhere_unless_clients_are_named(
    cluster_stack: StackTemplate,
) -> None:
    named = network(alone(compose, api_clients=(OFFICE,)).stacks["eks"])

    for config in (network(cluster_stack), named):
        assert config["EndpointPrivateAccess"] is True
        assert config["EndpointPublicAccess"] is True
    assert "PublicAccessCidrs" not in network(cluster_stack)
    assert named["PublicAccessCidrs"] == [OFFICE]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"api_clients": ("office",)}, r"^api_clients 'office' is not an IPv4 range \(.*; give"),
        ({"api_clients": ()}, r"^api_clients is empty, .*; give ranges, or leave it out$"),
    ],
    ids=["no range", "nobody"],
)
def test_clients_that_cannot_be_meant_are_refused(choices: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        alone(compose, **choices)


def test_only_production_protects_its_cluster(
    cluster_stack: StackTemplate, production: Assembly
) -> None:
    assert cluster_stack["Cluster"]["DeletionProtection"] is False
    assert production.stacks["eks"]["Cluster"]["DeletionProtection"] is True


def test_eks_itself_acts_by_the_policies_of_auto_mode(cluster_stack: StackTemplate) -> None:
    policies = {
        policy["Fn::Join"][1][-1].rpartition("/")[2]
        for policy in cluster_stack["ControlPlane"]["ManagedPolicyArns"]
    }
    [trust] = cluster_stack["ControlPlane"]["AssumeRolePolicyDocument"]["Statement"]

    assert cluster_stack["Cluster"]["RoleArn"] == cluster_stack.att("ControlPlane")
    assert policies == {
        "AmazonEKSBlockStoragePolicy",
        "AmazonEKSClusterPolicy",
        "AmazonEKSComputePolicy",
        "AmazonEKSLoadBalancingPolicy",
        "AmazonEKSNetworkingPolicy",
    }
    assert trust["Principal"] == {"Service": "eks.amazonaws.com"}
    assert set(trust["Action"]) == {"sts:AssumeRole", "sts:TagSession"}


def test_the_network_is_left_as_it_is(sandbox: Assembly) -> None:
    assert "kubernetes.io" not in str(sandbox.stacks["vpc"].body)


def test_named_clients_bring_no_finding_that_is_not_acknowledged() -> None:
    assert not alone(compose, api_clients=(OFFICE,)).findings("eks")


def test_the_manifest_asks_for_pods_that_its_service_finds_in_the_operators_namespace() -> None:
    manifest = Path(ROOT / "stacks" / "eks" / "web.yaml").read_text()
    deployment, service = yaml.safe_load_all(manifest)

    template = deployment["spec"]["template"]
    [container] = template["spec"]["containers"]
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    assert deployment["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
    assert service["spec"]["ports"][0]["targetPort"] == container["ports"][0]["containerPort"]
    assert {each["metadata"]["namespace"] for each in (deployment, service)} == {"default"}
    assert container["securityContext"]["runAsNonRoot"] is True
