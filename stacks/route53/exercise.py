"""See the zones work: ``make rehearse BLUEPRINT=route53``, or ``make exercise`` once on AWS.

On AWS it asks Route 53 what it would answer whom, makes health checks fail for a minute and gives
one record another bias. A hundred questions about weights take half a minute.
"""

import contextlib
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rehearsal.fixtures import Client, Eventually, Fetch, Invoke, Wait

FIRST, SECOND = "192.0.2.1", "192.0.2.2"
# Networks of Deutsche Telekom, of Princeton University, and of nobody, which the office is said to
# have.
GERMANY, UNITED_STATES, OFFICE = "194.25.0.0", "128.112.0.0", "203.0.113.0"

# By type: under which name, and what it says.
SIMPLE = {
    "A": ("www", ["192.0.2.10", "192.0.2.11"]),
    "AAAA": ("www", ["2001:db8::10"]),
    "CAA": ("caa", ['0 issue "amazon.com"']),
    "DS": ("partners", [f"12345 13 2 {'0' * 64}"]),
    "HTTPS": ("https", ['1 . alpn="h2"']),
    "MX": ("mx", ["10 mail.example.net."]),
    "NAPTR": ("naptr", ['100 50 "u" "E2U+sip" "!^.*$!sip:info@example.net!" .']),
    "NS": ("partners", ["ns1.example.net.", "ns2.example.net."]),
    "PTR": ("ptr", ["www.example.net."]),
    "SRV": ("srv", ["1 10 5269 xmpp.example.net."]),
    "SSHFP": ("sshfp", [f"4 2 {'0' * 64}"]),
    "SVCB": ("svcb", ["1 service.example.net. port=8443"]),
    "TLSA": ("tlsa", [f"3 1 1 {'0' * 64}"]),
    "TXT": ("txt", ['"v=spf1 -all"']),
}
# By name: what chooses its first site, and what its second.
POLICIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "weighted": ({"Weight": 90}, {"Weight": 10}),
    "failover": ({"Failover": "PRIMARY"}, {"Failover": "SECONDARY"}),
    "latency": ({"Region": "us-east-1"}, {"Region": "eu-west-1"}),
    "geolocation": (
        {"GeoLocation": {"CountryCode": "DE"}},
        {"GeoLocation": {"CountryCode": "*"}},
    ),
    "geoproximity": (
        {"GeoProximityLocation": {"AWSRegion": "us-east-1", "Bias": 20}},
        {"GeoProximityLocation": {"AWSRegion": "eu-west-1"}},
    ),
    "multivalue": ({"MultiValueAnswer": True}, {"MultiValueAnswer": True}),
}

Record = dict[str, Any]
Answer = Callable[..., list[str]]


@pytest.fixture(scope="module")
def route53(client: Client) -> Any:
    """Route 53's client."""
    return client("route53")


@pytest.fixture(scope="module")
def records(route53: Any, outputs: dict[str, str]) -> Callable[..., list[Record]]:
    """The records of a name in the public zone, and of a type if one is given."""

    def look(name: str, record_type: str = "") -> list[Record]:
        pages = route53.get_paginator("list_resource_record_sets").paginate(
            HostedZoneId=outputs["ZoneId"]
        )
        return [
            record
            for page in pages
            for record in page["ResourceRecordSets"]
            if record["Name"] == full(name, outputs) and record_type in ("", record["Type"])
        ]

    return look


@pytest.fixture(scope="module")
def answer(route53: Any, outputs: dict[str, str]) -> Answer:
    """What Route 53 would answer, to somebody in a network of 256 addresses if one is given."""

    def ask(name: str, record_type: str = "A", network: str = "") -> list[str]:
        # The resolver has to be one that passes on where its clients are.
        asking = {"ResolverIP": "8.8.8.8", "EDNS0ClientSubnetIP": network} if network else {}
        said = route53.test_dns_answer(
            HostedZoneId=outputs["ZoneId"],
            RecordName=full(name, outputs),
            RecordType=record_type,
            **asking,
            **({"EDNS0ClientSubnetMask": "24"} if network else {}),
        )
        assert (said["ResponseCode"], said["RecordType"]) == ("NOERROR", record_type)
        data: list[str] = said["RecordData"]
        return data

    return ask


def full(name: str, outputs: dict[str, str]) -> str:
    """A name in the public zone in full; the empty name is the zone's own."""
    return f"{name}.{outputs['ZoneName']}.".removeprefix(".")


def values(record: Record) -> list[str]:
    """What a record says."""
    return [each["Value"] for each in record["ResourceRecords"]]


@contextlib.contextmanager
def failing(route53: Any, health_check: str) -> Iterator[None]:
    """A health check that succeeds counts as one that fails, for a while."""
    route53.update_health_check(HealthCheckId=health_check, Inverted=True)
    try:
        yield
    finally:
        route53.update_health_check(HealthCheckId=health_check, Inverted=False)


@contextlib.contextmanager
def biased(route53: Any, zone: str, record: Record, bias: int) -> Iterator[None]:
    """A geoproximity record has another bias for a while."""

    def put(record: Record) -> None:
        change = {"Action": "UPSERT", "ResourceRecordSet": record}
        made = route53.change_resource_record_sets(
            HostedZoneId=zone, ChangeBatch={"Changes": [change]}
        )
        waiter = route53.get_waiter("resource_record_sets_changed")
        waiter.wait(Id=made["ChangeInfo"]["Id"], WaiterConfig={"Delay": 5})

    put({**record, "GeoProximityLocation": {**record["GeoProximityLocation"], "Bias": bias}})
    try:
        yield
    finally:
        put(record)


@pytest.mark.concept("route53.record-ns")
def test_a_new_zone_has_four_name_servers_and_an_soa_that_no_template_declares(
    records: Callable[..., list[Record]], outputs: dict[str, str]
) -> None:
    [servers], [authority] = records("", "NS"), records("", "SOA")

    assert len(set(values(servers))) == 4
    without_dots = sorted(server.rstrip(".") for server in values(servers))
    assert without_dots == sorted(
        server.rstrip(".") for server in outputs["NameServers"].split(",")
    )
    assert values(authority)[0].split()[0].rstrip(".") in without_dots


@pytest.mark.concept("route53.zone-public")
def test_a_public_zone_has_a_delegation_set_and_no_vpc(
    route53: Any, outputs: dict[str, str]
) -> None:
    described = route53.get_hosted_zone(Id=outputs["ZoneId"])

    assert described["HostedZone"]["Name"] == full("", outputs)
    assert described["HostedZone"]["Config"]["PrivateZone"] is False
    assert len(described["DelegationSet"]["NameServers"]) == 4
    assert "VPCs" not in described


def test_a_private_zone_belongs_to_a_vpc_and_has_names_of_its_own(
    route53: Any, outputs: dict[str, str]
) -> None:
    described = route53.get_hosted_zone(Id=outputs["PrivateZoneId"])
    assert described["HostedZone"]["Name"] == full("internal", outputs)
    assert described["HostedZone"]["Config"]["PrivateZone"] is True
    assert [vpc["VPCId"] for vpc in described["VPCs"]] == [outputs["VpcId"]]

    own = route53.list_resource_record_sets(HostedZoneId=outputs["PrivateZoneId"])
    names = [record["Name"] for record in own["ResourceRecordSets"] if record["Type"] == "A"]
    assert names == [full("orders.internal", outputs)]


@pytest.mark.parametrize("record_type", SIMPLE)
def test_a_record_of_every_type_is_in_the_zone(
    records: Callable[..., list[Record]], record_type: str
) -> None:
    name, says = SIMPLE[record_type]
    [record] = records(name, record_type)

    assert sorted(values(record)) == says
    assert record["TTL"] > 0
    assert "SetIdentifier" not in record


def test_the_alias_at_the_apex_is_an_a_record_that_names_the_load_balancer(
    client: Client, records: Callable[..., list[Record]], outputs: dict[str, str]
) -> None:
    [balancer] = (
        each
        for each in client("elbv2").describe_load_balancers()["LoadBalancers"]
        if each["DNSName"].lower() == outputs["LoadBalancerName"].lower()
    )
    [apex] = records("", "A")

    assert not {"TTL", "ResourceRecords"} & apex.keys()
    target = apex["AliasTarget"]
    assert target["DNSName"].rstrip(".").lower() == f"dualstack.{balancer['DNSName']}".lower()
    assert target["HostedZoneId"] == balancer["CanonicalHostedZoneId"]


def test_an_alias_may_name_a_record_of_its_zone_as_well(
    records: Callable[..., list[Record]], outputs: dict[str, str]
) -> None:
    [home] = records("home")

    assert home["AliasTarget"]["DNSName"] == full("www", outputs)
    assert home["AliasTarget"]["HostedZoneId"] == outputs["ZoneId"]


@pytest.mark.parametrize("name", POLICIES)
def test_two_records_of_a_name_are_chosen_from_by_a_policy(
    records: Callable[..., list[Record]], name: str
) -> None:
    first, second = sorted(records(name), key=lambda record: str(record["SetIdentifier"]))

    assert (values(first), values(second)) == ([FIRST], [SECOND])
    for record, policy in zip((first, second), POLICIES[name], strict=True):
        assert record.items() >= policy.items()


def test_networks_of_a_collection_are_told_from_all_others(
    records: Callable[..., list[Record]], outputs: dict[str, str]
) -> None:
    collection = {"CollectionId": outputs["NetworksId"]}

    assert {values(record)[0]: record["CidrRoutingConfig"] for record in records("ip-based")} == {
        FIRST: {**collection, "LocationName": "office"},
        SECOND: {**collection, "LocationName": "*"},
    }


def test_what_can_fail_has_a_health_check_and_what_it_asks_for_is_there(
    route53: Any, records: Callable[..., list[Record]], outputs: dict[str, str], fetch: Fetch
) -> None:
    checked = {
        (name, record["SetIdentifier"]): record.get("HealthCheckId")
        for name in ("failover", "multivalue")
        for record in records(name)
    }
    assert checked == {
        ("failover", "first"): outputs["FirstCheckId"],
        ("failover", "second"): None,
        ("multivalue", "first"): outputs["FirstCheckId"],
        ("multivalue", "second"): outputs["SecondCheckId"],
    }

    for check in {outputs["FirstCheckId"], outputs["SecondCheckId"]}:
        asks = route53.get_health_check(HealthCheckId=check)["HealthCheck"]["HealthCheckConfig"]
        assert (asks["Type"], asks["Port"], asks["RequestInterval"]) == ("HTTP", 80, 30)
        url = f"http://{asks['FullyQualifiedDomainName']}{asks['ResourcePath']}"
        assert 200 <= fetch(url).status < 400


@pytest.mark.aws_only
@pytest.mark.concept("route53.record-a", "route53.policy-simple")
def test_an_answer_has_all_addresses_of_a_simple_record(answer: Answer) -> None:
    assert sorted(answer("www")) == ["192.0.2.10", "192.0.2.11"]


@pytest.mark.aws_only
@pytest.mark.concept("route53.record-aaaa")
def test_the_same_name_has_an_address_of_ipv6(answer: Answer) -> None:
    assert [IPv6Address(each) for each in answer("www", "AAAA")] == [IPv6Address("2001:db8::10")]


@pytest.mark.aws_only
@pytest.mark.concept("route53.record-cname")
def test_a_name_may_stand_for_another_name_but_not_at_the_apex(
    route53: Any, answer: Answer, outputs: dict[str, str]
) -> None:
    assert [each.rstrip(".") for each in answer("docs", "CNAME")] == [f"www.{outputs['ZoneName']}"]

    cname = {
        "Name": full("", outputs),
        "Type": "CNAME",
        "TTL": 60,
        "ResourceRecords": [{"Value": "www.example.net."}],
    }
    changes = [{"Action": "CREATE", "ResourceRecordSet": cname}]
    with pytest.raises(ClientError, match="InvalidChangeBatch"):
        route53.change_resource_record_sets(
            HostedZoneId=outputs["ZoneId"], ChangeBatch={"Changes": changes}
        )


@pytest.mark.aws_only
@pytest.mark.concept("route53.record-alias")
def test_an_alias_is_answered_with_addresses_and_no_other_name(
    answer: Answer, outputs: dict[str, str], eventually: Eventually
) -> None:
    assert all(IPv4Address(each) for each in answer(""))

    def addresses() -> set[str]:
        return set(socket.gethostbyname_ex(outputs["LoadBalancerName"])[2])

    # A load balancer's addresses change; an alias follows them.
    eventually(lambda: set(answer("")) & addresses())
    assert sorted(answer("home")) == sorted(answer("www"))


@pytest.mark.aws_only
@pytest.mark.concept("route53.zone-private")
def test_a_private_name_is_known_in_its_vpc_and_nowhere_else(
    invoke: Invoke, outputs: dict[str, str]
) -> None:
    name = f"orders.internal.{outputs['ZoneName']}"
    assert invoke(outputs["ResolveName"], name=name) == {"addresses": ["198.51.100.1"]}

    with pytest.raises(socket.gaierror):
        socket.gethostbyname(name)


@pytest.mark.aws_only
@pytest.mark.concept("route53.policy-weighted")
def test_a_tenth_of_the_answers_has_the_site_with_a_tenth_of_the_weight(
    answer: Answer, wait: Wait
) -> None:
    def ask() -> str:
        # Route 53 takes five requests a second from an account.
        wait(0.25)
        [address] = answer("weighted")
        return address

    counted = Counter(ask() for _ in range(100))
    assert counted.keys() == {FIRST, SECOND}
    assert counted[FIRST] > 3 * counted[SECOND]


@pytest.mark.aws_only
@pytest.mark.concept("route53.policy-failover")
def test_the_secondary_answers_while_the_primary_fails(
    route53: Any, answer: Answer, outputs: dict[str, str], eventually: Eventually
) -> None:
    eventually(lambda: answer("failover") == [FIRST], within=180)

    with failing(route53, outputs["FirstCheckId"]):
        eventually(lambda: answer("failover") == [SECOND], within=180)
    eventually(lambda: answer("failover") == [FIRST], within=180)


@pytest.mark.aws_only
@pytest.mark.concept("route53.policy-multivalue")
def test_an_answer_carries_every_healthy_site_and_no_other(
    route53: Any, answer: Answer, outputs: dict[str, str], eventually: Eventually
) -> None:
    eventually(lambda: sorted(answer("multivalue")) == [FIRST, SECOND], within=180)

    with failing(route53, outputs["FirstCheckId"]):
        eventually(lambda: answer("multivalue") == [SECOND], within=180)


@pytest.mark.aws_only
@pytest.mark.concept("route53.policy-latency")
def test_each_continent_is_sent_to_the_region_with_the_shorter_delay(answer: Answer) -> None:
    assert answer("latency", network=UNITED_STATES) == [FIRST]
    assert answer("latency", network=GERMANY) == [SECOND]


@pytest.mark.aws_only
@pytest.mark.concept("route53.policy-geolocation")
def test_a_country_has_its_site_and_everybody_else_the_default(answer: Answer) -> None:
    assert answer("geolocation", network=GERMANY) == [FIRST]
    assert answer("geolocation", network=UNITED_STATES) == [SECOND]


@pytest.mark.aws_only
@pytest.mark.concept("route53.policy-geoproximity")
def test_a_bias_draws_clients_from_the_nearer_site_to_the_other(
    route53: Any,
    records: Callable[..., list[Record]],
    answer: Answer,
    outputs: dict[str, str],
    eventually: Eventually,
) -> None:
    assert answer("geoproximity", network=GERMANY) == [SECOND]

    [far] = (record for record in records("geoproximity") if values(record) == [FIRST])
    with biased(route53, outputs["ZoneId"], far, bias=99):
        eventually(lambda: answer("geoproximity", network=GERMANY) == [FIRST], within=120)
    eventually(lambda: answer("geoproximity", network=GERMANY) == [SECOND], within=120)


@pytest.mark.aws_only
@pytest.mark.concept("route53.policy-geoproximity")
def test_an_office_is_known_by_its_addresses(answer: Answer) -> None:
    assert answer("ip-based", network=OFFICE) == [FIRST]
    assert answer("ip-based", network=UNITED_STATES) == [SECOND]
