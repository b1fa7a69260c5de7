"""See load balancers work: ``make rehearse BLUEPRINT=load-balancers``, or ``make exercise`` on AWS.

On AWS it starts two small instances for some minutes, for a few cents.
"""

import base64
import contextlib
import json
import os
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from rehearsal.fixtures import Answer, Client, Eventually, Fetch
from stacks.load_balancers.server import TEXT, accepted, receive, send

IMAGE = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
SERVER = (Path(__file__).parent / "server.py").read_text()

Outputs = dict[str, str]
Ask = Callable[..., Answer]


@pytest.fixture(scope="module")
def elb(client: Client) -> Any:
    """The client of Elastic Load Balancing."""
    return client("elbv2")


@pytest.fixture(scope="module")
def balancer(elb: Any, outputs: Outputs) -> dict[str, Any]:
    """The application load balancer, as it describes itself."""
    [described] = elb.describe_load_balancers(LoadBalancerArns=[outputs["LoadBalancerArn"]])[
        "LoadBalancers"
    ]
    return dict(described)


@pytest.fixture
def ask(fetch: Fetch, outputs: Outputs) -> Ask:
    """Get a path of the application load balancer, with these headers."""

    def get(path: str, method: str = "GET", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if outputs["Protocol"] == "HTTP":
            return fetch(f"http://{outputs['DnsName']}{path}", method=method, headers=named)
        connection = HTTPSConnection(outputs["DnsName"], timeout=60, context=unverified())
        with contextlib.closing(connection):
            connection.request(method, path, headers=named)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode())

    return get


@pytest.fixture
def answered_by(ask: Ask) -> Callable[..., str]:
    """The function that answers."""

    def name(path: str, **request: str) -> str:
        answer = ask(path, **request)
        assert answer.status == 200, answer
        return str(json.loads(answer.body)["target"])

    return name


@pytest.fixture
def served_by(ask: Ask) -> Callable[..., str | None]:
    """The server that answers; None while there is none to."""

    def name(**headers: str) -> str | None:
        answer = ask("/servers/", **headers)
        return str(json.loads(answer.body)["server"]) if answer.status == 200 else None

    return name


@pytest.fixture(scope="module")
def addresses(client: Client, balancer: dict[str, Any], outputs: Outputs) -> Iterator[list[str]]:
    """Of two servers in different zones, which only the load balancers can reach."""
    ec2, ids, found = client("ec2"), [], []
    try:
        for zone in balancer["AvailabilityZones"]:
            [instance] = ec2.run_instances(
                ImageId=IMAGE,
                InstanceType="t4g.nano",
                MinCount=1,
                MaxCount=1,
                UserData=f"#!/usr/bin/python3\n{SERVER}",
                MetadataOptions={"HttpTokens": "required"},
                NetworkInterfaces=[
                    {
                        "DeviceIndex": 0,
                        "SubnetId": zone["SubnetId"],
                        "Groups": [outputs["ServersGroupId"]],
                        "AssociatePublicIpAddress": False,
                    }
                ],
            )["Instances"]
            ids.append(instance["InstanceId"])
            found.append(instance["PrivateIpAddress"])
        ec2.get_waiter("instance_running").wait(InstanceIds=ids)
        yield found
    finally:
        if ids:
            ec2.terminate_instances(InstanceIds=ids)
            ec2.get_waiter("instance_terminated").wait(InstanceIds=ids)


class Registered:
    """Addresses in a target group, which comes to hold nobody again in the end."""

    def __init__(self, elb: Any, target_group: str, addresses: list[str]) -> None:
        """Know whom to register where."""
        self._elb, self._group, self._addresses = elb, target_group, addresses

    def __enter__(self) -> "Registered":
        """Register them all and wait until each is healthy."""
        targets = [{"Id": address} for address in self._addresses]
        self._elb.register_targets(TargetGroupArn=self._group, Targets=targets)
        self._elb.get_waiter("target_in_service").wait(
            TargetGroupArn=self._group, WaiterConfig={"Delay": 5}
        )
        return self

    def __exit__(self, *error: object) -> None:
        """Take out whoever is left."""
        for address in self._addresses:
            self.take_out(address)

    def take_out(self, address: str) -> None:
        """Deregister one."""
        self._elb.deregister_targets(TargetGroupArn=self._group, Targets=[{"Id": address}])

    def state(self, address: str) -> str:
        """What the target group thinks of an address: healthy, draining, unused ..."""
        [described] = self._elb.describe_target_health(
            TargetGroupArn=self._group, Targets=[{"Id": address}]
        )["TargetHealthDescriptions"]
        return str(described["TargetHealth"]["State"])


@pytest.fixture
def servers(elb: Any, outputs: Outputs, addresses: list[str]) -> Iterator[Registered]:
    """The servers, behind the application load balancer."""
    with Registered(elb, outputs["ServersTargetsArn"], addresses) as registered:
        yield registered


def unverified() -> ssl.SSLContext:
    """The certificate is of a host name of its owner's, and not the load balancer's own."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def cookies(answer: Answer) -> str:
    """What a browser would send back."""
    given = answer.headers.get_all("Set-Cookie") or []
    return "; ".join(cookie.split(";")[0] for cookie in given)


@pytest.mark.concept("alb.application-layer")
def test_everybody_reaches_a_target_through_two_zones(
    client: Client, balancer: dict[str, Any], answered_by: Callable[..., str]
) -> None:
    assert (balancer["Type"], balancer["Scheme"]) == ("application", "internet-facing")
    subnets = client("ec2").describe_subnets(
        SubnetIds=[zone["SubnetId"] for zone in balancer["AvailabilityZones"]]
    )["Subnets"]
    assert len({subnet["AvailabilityZone"] for subnet in subnets}) == 2

    assert answered_by("/") == "Blue"


@pytest.mark.concept("alb.route-by-path")
def test_a_path_below_api_leads_to_another_target_and_the_rest_to_the_default(
    answered_by: Callable[..., str],
) -> None:
    assert answered_by("/api/orders/7") == "Green"
    assert answered_by("/apiary") == "Blue"


@pytest.mark.concept("alb.route-by-hostname")
def test_a_host_name_leads_to_another_target(answered_by: Callable[..., str]) -> None:
    assert answered_by("/", Host="admin.example.test") == "Green"
    assert answered_by("/", Host="shop.example.test") == "Blue"


@pytest.mark.concept("alb.route-by-query-string")
def test_a_parameter_of_the_query_leads_to_another_target(answered_by: Callable[..., str]) -> None:
    assert answered_by("/?page=1&version=v2") == "Green"
    assert answered_by("/?version=v1") == "Blue"
    assert answered_by("/?page=v2") == "Blue"


@pytest.mark.concept("alb.route-by-query-string")
def test_a_header_and_a_method_lead_to_another_target_only_together(
    answered_by: Callable[..., str],
) -> None:
    assert answered_by("/", X_Preview="yes") == "Green"
    assert answered_by("/", X_Preview="yes", method="POST") == "Blue"
    assert answered_by("/") == "Blue"


@pytest.mark.concept("alb.redirect")
def test_an_old_path_is_redirected_with_its_query(ask: Ask, outputs: Outputs) -> None:
    answer = ask("/old/orders?page=2")
    location = urlsplit(answer.headers["Location"])

    assert answer.status == 301
    assert (location.hostname, location.path) == (outputs["DnsName"].lower(), "/api/")
    assert location.query == "page=2"


def test_the_load_balancer_itself_answers_during_maintenance(ask: Ask) -> None:
    answer = ask("/maintenance")

    assert (answer.status, answer.body) == (503, "Back soon")
    assert answer.headers["Server"] == "awselb/2.0"


@pytest.mark.concept("lambda.http-endpoint")
def test_a_function_behind_it_gets_an_event_of_load_balancers_and_answers_over_http(
    ask: Ask,
) -> None:
    answer = ask("/api/orders?page=2")

    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(answer.body) == {
        "target": "Green",
        "path": "/api/orders",
        "query": {"page": "2"},
        "event": ["elb"],
    }


def test_nobody_serves_what_no_target_is_registered_for(
    elb: Any, ask: Ask, outputs: Outputs
) -> None:
    health = elb.describe_target_health(TargetGroupArn=outputs["ServersTargetsArn"])

    assert health["TargetHealthDescriptions"] == []
    assert ask("/servers/").status == 503


@pytest.mark.aws_only
def test_a_tenth_gets_the_new_release_and_whoever_has_it_keeps_it(
    ask: Ask, answered_by: Callable[..., str]
) -> None:
    def release(count: int, **headers: str) -> Counter[str]:
        return Counter(answered_by("/release", **headers) for _ in range(count))

    answers = release(100)
    assert answers["Blue"] > answers["Green"] > 0

    first = ask("/release")
    assert release(10, Cookie=cookies(first)) == {json.loads(first.body)["target"]: 10}


@pytest.mark.aws_only
@pytest.mark.concept("alb.containers")
def test_whatever_has_an_address_is_balanced_such_as_each_task_of_a_service(
    servers: Registered, served_by: Callable[..., str | None], addresses: list[str]
) -> None:
    assert {served_by() for _ in range(20)} == set(addresses)


@pytest.mark.aws_only
@pytest.mark.concept("lb.sticky-session")
def test_a_client_stays_with_its_server_while_that_is_registered_if_it_sends_the_cookie(
    servers: Registered,
    ask: Ask,
    served_by: Callable[..., str | None],
    eventually: Eventually,
) -> None:
    assert len({served_by() for _ in range(10)}) == 2

    first = ask("/servers/")
    mine = json.loads(first.body)["server"]
    assert {served_by(Cookie=cookies(first)) for _ in range(10)} == {mine}

    servers.take_out(mine)
    eventually(lambda: served_by(Cookie=cookies(first)) not in (mine, None), within=60)


@pytest.mark.aws_only
@pytest.mark.concept("lb.connection-draining")
def test_a_server_that_is_taken_out_finishes_its_request_and_gets_no_new_one(
    servers: Registered,
    ask: Ask,
    served_by: Callable[..., str | None],
    eventually: Eventually,
) -> None:
    first = ask("/servers/")
    mine = json.loads(first.body)["server"]
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(ask, "/servers/?seconds=20", Cookie=cookies(first))
        time.sleep(2)  # it has to be under way when its server goes
        servers.take_out(mine)

        eventually(lambda: servers.state(mine) == "draining", within=15)
        eventually(lambda: mine not in {served_by() for _ in range(5)}, within=15)
        assert not slow.done()
        assert (slow.result().status, json.loads(slow.result().body)["server"]) == (200, mine)


@pytest.mark.aws_only
@pytest.mark.concept("alb.websocket")
def test_a_web_socket_is_opened_through_it_like_any_other_request(
    servers: Registered, outputs: Outputs
) -> None:
    host, secure = outputs["DnsName"], outputs["Protocol"] == "HTTPS"
    connection = socket.create_connection((host, 443 if secure else 80), timeout=30)
    if secure:
        connection = unverified().wrap_socket(connection)
    key = base64.b64encode(os.urandom(16)).decode()
    request = [
        "GET /servers/ HTTP/1.1",
        f"Host: {host}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
    ]
    with connection, connection.makefile("rwb") as stream:
        connection.sendall("\r\n".join([*request, "", ""]).encode())
        head = list(iter(lambda: stream.readline().decode().strip(), ""))
        assert head[0].startswith("HTTP/1.1 101 ")
        assert any(line.endswith(accepted(key)) for line in head)

        for message in (b"one", b"two"):
            send(stream, TEXT, message, mask=os.urandom(4))
            assert receive(stream) == (TEXT, message)


@pytest.mark.aws_only
@pytest.mark.concept("alb.http2")
def test_its_https_listener_speaks_http2(outputs: Outputs) -> None:
    if outputs["Protocol"] != "HTTPS":
        pytest.skip("deployed without a certificate; README.md says how to give it one")
    context = unverified()
    context.set_alpn_protocols(["h2", "http/1.1"])
    plain = socket.create_connection((outputs["DnsName"], 443), timeout=30)
    with plain, context.wrap_socket(plain) as connection:
        assert connection.selected_alpn_protocol() == "h2"


@pytest.mark.aws_only
@pytest.mark.concept("nlb.tcp", "nlb.udp")
@pytest.mark.parametrize("transport", ["Tcp", "Udp"])
def test_bytes_and_datagrams_come_back_and_the_server_sees_who_sent_them(
    elb: Any,
    fetch: Fetch,
    outputs: Outputs,
    addresses: list[str],
    eventually: Eventually,
    transport: str,
) -> None:
    if "NetworkDnsName" not in outputs:
        pytest.skip("deployed without a network load balancer; README.md says how to have one")
    me = fetch("https://checkip.amazonaws.com").body.strip()
    port = int(outputs[f"{transport}Port"])
    kind = socket.SOCK_STREAM if transport == "Tcp" else socket.SOCK_DGRAM

    def echo() -> str:
        with socket.socket(type=kind) as connection:
            connection.settimeout(5)
            connection.connect((outputs["NetworkDnsName"], port))
            connection.sendall(b"hello\n")
            try:
                return connection.recv(100).decode().strip()
            except OSError:
                return ""

    with Registered(elb, outputs[f"{transport}TargetsArn"], addresses):
        assert eventually(echo, within=60) == f"{me} hello"
