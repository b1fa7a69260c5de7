"""See the cluster work: ``make rehearse BLUEPRINT=eks``, or ``make exercise`` once on AWS.

On AWS it runs pods for some minutes, on an instance that EKS starts for them, for a few cents.
"""

import base64
import json
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
import yaml

from rehearsal.fixtures import Client, Eventually

Outputs = dict[str, str]
Manifest = dict[str, Any]
MANIFEST = Path(__file__).parent / "web.yaml"
PATHS = {
    "Deployment": "/apis/apps/v1/namespaces/default/deployments",
    "Service": "/api/v1/namespaces/default/services",
}
PODS = "/api/v1/namespaces/default/pods?labelSelector=app%3Dweb"


class Kubernetes:
    """The API server of a cluster, as one of its operators asks it."""

    def __init__(self, cluster: dict[str, Any], token: Callable[[], str]) -> None:
        """Trust the certificate of the cluster, and be who each request's token says."""
        authority = base64.b64decode(cluster["certificateAuthority"]["data"]).decode()
        self._context = ssl.create_default_context(cadata=authority)
        self._endpoint, self._token = cluster["endpoint"], token

    def ask(
        self, method: str, path: str, document: Manifest | None = None, patch: str = ""
    ) -> Manifest:
        """Return the answer; ``patch`` says of which kind a patch is.

        Raises:
            HTTPError: If it is a refusal.
        """
        headers = {"Authorization": f"Bearer {self._token()}"}
        if document:
            headers["Content-Type"] = f"application/{patch}" if patch else "application/json"
        request = Request(
            self._endpoint + path,
            data=json.dumps(document).encode() if document else None,
            headers=headers,
            method=method,
        )
        with urlopen(request, timeout=30, context=self._context) as answer:
            found: Manifest = json.load(answer)
            return found

    def apply(self, manifest: Manifest) -> None:
        """Have what the manifest says, as with ``kubectl apply --server-side``."""
        # JSON is YAML.
        path = f"{_path(manifest)}?fieldManager=exercise&force=true"
        self.ask("PATCH", path, manifest, patch="apply-patch+yaml")

    def delete(self, manifest: Manifest) -> None:
        """Have it no more."""
        self.ask("DELETE", _path(manifest))

    def scale(self, manifest: Manifest, replicas: int) -> None:
        """Have so many pods of a deployment."""
        desired = {"spec": {"replicas": replicas}}
        self.ask("PATCH", f"{_path(manifest)}/scale", desired, patch="merge-patch+json")

    def pods(self) -> list[Manifest]:
        """The pods of the manifest's deployment."""
        items: list[Manifest] = self.ask("GET", PODS)["items"]
        return items


def _path(manifest: Manifest) -> str:
    return f"{PATHS[manifest['kind']]}/{manifest['metadata']['name']}"


@pytest.fixture
def cluster(client: Client, outputs: Outputs, eventually: Eventually) -> dict[str, Any]:
    """What EKS says of the cluster, once that is active."""

    def described() -> dict[str, Any]:
        found: dict[str, Any] = client("eks").describe_cluster(name=outputs["ClusterName"])
        return dict(found["cluster"])

    eventually(lambda: described()["status"] == "ACTIVE")
    return described()


@pytest.fixture
def kubernetes(client: Client, outputs: Outputs, cluster: dict[str, Any]) -> Kubernetes:
    """The cluster's API server, asked by one of the operators."""
    operator = client("sts").assume_role(
        RoleArn=outputs["OperatorsArn"], RoleSessionName="exercise"
    )["Credentials"]
    sts = client(
        "sts",
        aws_access_key_id=operator["AccessKeyId"],
        aws_secret_access_key=operator["SecretAccessKey"],
        aws_session_token=operator["SessionToken"],
    )
    # A token is a signed question to STS, who the caller is, that names the cluster.
    sts.meta.events.register(
        "before-sign.sts.GetCallerIdentity",
        lambda request, **_: request.headers.add_header("x-k8s-aws-id", outputs["ClusterName"]),
    )

    def token() -> str:
        # EKS asks with GET, and boto3 would sign for POST.
        url = sts.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
        return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")

    return Kubernetes(cluster, token)


@pytest.fixture
def deployment(kubernetes: Kubernetes, eventually: Eventually) -> Iterator[Manifest]:
    """The deployment of web.yaml, applied with its service."""
    manifests = list(yaml.safe_load_all(MANIFEST.read_text()))
    for manifest in manifests:
        kubernetes.apply(manifest)
    yield next(each for each in manifests if each["kind"] == "Deployment")
    for manifest in manifests:
        kubernetes.delete(manifest)
    eventually(lambda: not kubernetes.pods(), within=120)


def test_the_active_cluster_logs_everything_its_control_plane_does(
    client: Client, outputs: Outputs, cluster: dict[str, Any]
) -> None:
    [logs] = (each for each in cluster["logging"]["clusterLogging"] if each["enabled"])
    assert set(logs["types"]) == {
        "api",
        "audit",
        "authenticator",
        "controllerManager",
        "scheduler",
    }
    [group] = client("logs").describe_log_groups(
        logGroupNamePrefix=f"/aws/eks/{cluster['name']}/cluster"
    )["logGroups"]
    assert group["logGroupName"] == outputs["LogGroupName"]
    assert group["retentionInDays"] > 0


def test_operators_are_let_in_to_edit_one_namespace(client: Client, outputs: Outputs) -> None:
    eks, name = client("eks"), outputs["ClusterName"]
    assert outputs["OperatorsArn"] in eks.list_access_entries(clusterName=name)["accessEntries"]

    [policy] = eks.list_associated_access_policies(
        clusterName=name, principalArn=outputs["OperatorsArn"]
    )["associatedAccessPolicies"]
    assert policy["policyArn"].endswith("/AmazonEKSEditPolicy")
    assert policy["accessScope"] == {"type": "namespace", "namespaces": ["default"]}


def test_the_add_on_is_installed(client: Client, outputs: Outputs) -> None:
    addon = client("eks").describe_addon(
        clusterName=outputs["ClusterName"], addonName="prometheus-node-exporter"
    )["addon"]

    assert addon["status"] == "ACTIVE"


@pytest.mark.aws_only
@pytest.mark.concept("eks.kubernetes")
def test_pods_run_on_nodes_that_nobody_made_and_scale_with_their_deployment(
    kubernetes: Kubernetes, deployment: Manifest, eventually: Eventually
) -> None:
    def running() -> list[Manifest]:
        return [pod for pod in kubernetes.pods() if pod["status"]["phase"] == "Running"]

    eventually(lambda: len(running()) == 1, within=600)
    [pod] = running()
    assert pod["spec"]["nodeName"].startswith("i-"), "Auto Mode names nodes as EC2 does"

    kubernetes.scale(deployment, 2)
    eventually(lambda: len(running()) == 2, within=600)

    kubernetes.scale(deployment, 0)
    eventually(lambda: not kubernetes.pods(), within=120)


@pytest.mark.aws_only
def test_operators_are_refused_what_lies_outside_of_their_namespace(
    kubernetes: Kubernetes,
) -> None:
    with pytest.raises(HTTPError) as refusal:
        kubernetes.ask("GET", "/api/v1/namespaces/kube-system/pods")

    assert refusal.value.code == 403
