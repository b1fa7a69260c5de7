"""What must stay true of the route53 blueprint; the snapshot shows whatever else changed."""

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_logs as logs
from aws_cdk import aws_route53 as r53
from syrupy.assertion import SnapshotAssertion

from patterns.validations import InvalidArgumentError
from stacks.route53 import Route53Stack
from tests.assembly import Assembly, StackTemplate, alone

RECORD = "AWS::Route53::RecordSet"
SITES = {"first": "192.0.2.1", "second": "192.0.2.2"}


def test_snapshot(assembly: Assembly, snapshot: SnapshotAssertion) -> None:
    assert assembly.stacks["route53"].body == snapshot


@pytest.fixture
def dns(assembly: Assembly) -> StackTemplate:
    return assembly.stacks["route53"]


def compose(app: cdk.App, **options: Any) -> None:
    """The stack, in a network and with a load balancer of its own."""
    network = cdk.Stack(app, "network")
    vpc = ec2.Vpc(
        network,
        "Vpc",
        nat_gateways=0,
        subnet_configuration=[
            ec2.SubnetConfiguration(name=kind.name.title(), subnet_type=kind)
            for kind in (ec2.SubnetType.PUBLIC, ec2.SubnetType.PRIVATE_ISOLATED)
        ],
        restrict_default_security_group=False,
    )
    Route53Stack(
        app,
        "route53",
        vpc=vpc,
        load_balancer=elbv2.ApplicationLoadBalancer(network, "Balancer", vpc=vpc),
        removal_policy=cdk.RemovalPolicy.DESTROY,
        log_retention=logs.RetentionDays.ONE_WEEK,
        **options,
    )


@pytest.fixture(scope="module")
def delegated() -> Assembly:
    """The stack for a domain below a zone that there is already."""
    return alone(compose, domain="dns.example.com", parent_zone_id="Z0PARENT")


def pair(stack: StackTemplate, policy: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both records of a routing policy: of one name and type, in the public zone."""
    first, second = (stack[f"By/{policy}-{site}"] for site in SITES)
    for record, (site, address) in zip((first, second), SITES.items(), strict=True):
        assert record["HostedZoneId"] == stack.ref("Public")
        assert (record["Name"], record["Type"]) == (f"{policy}.blueprints.test.", "A")
        assert (record["SetIdentifier"], record["ResourceRecords"]) == (site, [address])
        assert int(record["TTL"]) == 60
    return first, second


@pytest.mark.concept("route53.record-a", "route53.policy-simple")
def test_an_a_record_maps_a_name_to_addresses_for_a_time(dns: StackTemplate) -> None:
    record = dns["Www"]

    assert (record["Name"], record["Type"]) == ("www.blueprints.test.", "A")
    assert len({IPv4Address(each) for each in record["ResourceRecords"]}) == 2
    assert int(record["TTL"]) > 0
    assert "SetIdentifier" not in record


@pytest.mark.concept("route53.record-aaaa")
def test_an_aaaa_record_maps_the_same_name_to_an_ipv6_address(dns: StackTemplate) -> None:
    record = dns["WwwV6"]

    assert (record["Name"], record["Type"]) == (dns["Www"]["Name"], "AAAA")
    assert all(IPv6Address(each) for each in record["ResourceRecords"])


@pytest.mark.concept("route53.record-cname")
def test_a_cname_maps_a_name_to_a_name_below_the_apex(dns: StackTemplate) -> None:
    assert dns["Docs"]["Type"] == "CNAME"
    assert dns["Docs"]["ResourceRecords"] == ["www.blueprints.test"]

    zones = {zone["Name"] for zone in dns.of_type("AWS::Route53::HostedZone").values()}
    names = {r["Name"] for r in dns.of_type(RECORD).values() if r["Type"] == "CNAME"}
    assert not names & zones


@pytest.mark.concept("route53.record-ns")
def test_the_zone_tells_its_name_servers_and_delegates_a_name_to_others(
    dns: StackTemplate,
) -> None:
    servers = dns.body["Outputs"]["NameServers"]["Value"]
    assert servers == {"Fn::Join": [",", dns.att("Public", "NameServers")]}

    delegation = dns["Partners"]
    assert (delegation["Name"], delegation["Type"]) == ("partners.blueprints.test.", "NS")
    assert delegation["ResourceRecords"] == ["ns1.example.net.", "ns2.example.net."]


def test_every_type_of_record_is_there_that_route_53_has_and_does_not_discourage(
    dns: StackTemplate,
) -> None:
    types = {record["Type"] for record in dns.of_type(RECORD).values()}

    assert types == {each.value for each in r53.RecordType} - {"SOA", "SPF"}


@pytest.mark.concept("route53.record-alias")
def test_an_alias_at_the_apex_names_the_load_balancer_and_has_no_ttl(dns: StackTemplate) -> None:
    apex = dns["Apex"]
    assert (apex["Name"], apex["Type"]) == (dns["Public"]["Name"], "A")
    assert not {"TTL", "ResourceRecords"} & apex.keys()

    def published(value: dict[str, Any]) -> str:
        output = value["Fn::GetStackOutput"]
        assert output["StackName"] == "blueprints-load-balancers"
        return str(output["OutputName"])

    prefix, name = apex["AliasTarget"]["DNSName"]["Fn::Join"][1]
    assert prefix == "dualstack."
    assert re.fullmatch("PublishOutputFnGetAttApplication.*DNSName.*", published(name))
    zone = published(apex["AliasTarget"]["HostedZoneId"])
    assert re.fullmatch("PublishOutputFnGetAttApplication.*CanonicalHostedZoneID.*", zone)


@pytest.mark.concept("route53.record-alias")
def test_an_alias_may_name_a_record_of_its_zone(dns: StackTemplate) -> None:
    home = dns["Home"]

    assert home["AliasTarget"]["DNSName"] == dns.ref("Www")
    assert home["AliasTarget"]["HostedZoneId"] == dns.ref("Public")
    assert not {"TTL", "ResourceRecords"} & home.keys()


@pytest.mark.concept("route53.zone-public")
def test_a_zone_without_vpcs_is_public(dns: StackTemplate) -> None:
    assert dns["Public"]["Name"] == "blueprints.test."
    assert "VPCs" not in dns["Public"]


@pytest.mark.concept("route53.zone-private")
def test_a_zone_with_a_vpc_is_private_and_that_vpc_resolves_names(
    assembly: Assembly, dns: StackTemplate
) -> None:
    assert dns["Private"]["Name"] == "internal.blueprints.test."
    [associated] = dns["Private"]["VPCs"]
    output = associated["VPCId"]["Fn::GetStackOutput"]
    assert output["StackName"] == "blueprints-vpc"
    vpc = assembly.stacks["vpc"]
    assert vpc.body["Outputs"][output["OutputName"]]["Value"] == vpc.ref("Network")
    for setting in ("EnableDnsHostnames", "EnableDnsSupport"):
        assert vpc["Network"][setting] is True

    assert dns["Orders"]["HostedZoneId"] == dns.ref("Private")
    assert dns["Orders"]["Name"] == "orders.internal.blueprints.test."


@pytest.mark.concept("route53.policy-weighted")
def test_nine_tenths_of_the_weight_are_the_first_sites(dns: StackTemplate) -> None:
    assert [record["Weight"] for record in pair(dns, "weighted")] == [90, 10]


@pytest.mark.concept("route53.policy-failover")
def test_the_primary_is_checked_and_the_secondary_stands_in(dns: StackTemplate) -> None:
    primary, secondary = pair(dns, "failover")

    assert (primary["Failover"], secondary["Failover"]) == ("PRIMARY", "SECONDARY")
    assert primary["HealthCheckId"] == dns.ref("By/FirstCheck")
    assert "HealthCheckId" not in secondary


@pytest.mark.concept("route53.policy-failover")
@pytest.mark.parametrize("check", ["FirstCheck", "SecondCheck"])
def test_a_health_check_asks_the_load_balancer_over_http_at_the_lowest_price(
    dns: StackTemplate, check: str
) -> None:
    asks = dns[f"By/{check}"]["HealthCheckConfig"]

    assert (asks["Type"], asks["Port"], asks["ResourcePath"]) == ("HTTP", 80, "/")
    assert (
        asks["FullyQualifiedDomainName"] == dns["Apex"]["AliasTarget"]["DNSName"]["Fn::Join"][1][1]
    )
    # Faster ones, and those that measure, cost more.
    assert (asks["RequestInterval"], asks["MeasureLatency"]) == (30, False)


@pytest.mark.concept("route53.policy-latency")
def test_each_site_is_said_to_be_in_a_region(dns: StackTemplate) -> None:
    assert [each["Region"] for each in pair(dns, "latency")] == ["us-east-1", "eu-west-1"]


@pytest.mark.concept("route53.policy-geolocation")
def test_one_country_has_a_site_of_its_own_and_everybody_else_the_default(
    dns: StackTemplate,
) -> None:
    countries = [record["GeoLocation"] for record in pair(dns, "geolocation")]

    assert countries == [{"CountryCode": "DE"}, {"CountryCode": "*"}]


@pytest.mark.concept("route53.policy-multivalue")
def test_every_record_of_a_multivalue_answer_has_a_health_check_of_its_own(
    dns: StackTemplate,
) -> None:
    records = pair(dns, "multivalue")

    assert [record["MultiValueAnswer"] for record in records] == [True, True]
    assert [record["HealthCheckId"] for record in records] == [
        dns.ref("By/FirstCheck"),
        dns.ref("By/SecondCheck"),
    ]


@pytest.mark.concept("route53.policy-geoproximity")
def test_one_site_is_drawn_nearer_by_a_bias(dns: StackTemplate) -> None:
    assert [record["GeoProximityLocation"] for record in pair(dns, "geoproximity")] == [
        {"AWSRegion": "us-east-1", "Bias": 20},
        {"AWSRegion": "eu-west-1"},
    ]


@pytest.mark.concept("route53.policy-geoproximity")
def test_the_addresses_of_an_office_have_a_site_of_their_own(dns: StackTemplate) -> None:
    [location] = dns["By/Networks"]["Locations"]
    assert location == {"LocationName": "office", "CidrList": ["203.0.113.0/24"]}
    # An account's names are one set, whatever the region.
    assert dns["By/Networks"]["Name"]["Fn::Join"][1][-1] == {"Ref": "AWS::Region"}

    collection = dns.att("By/Networks", "Id")
    assert [record["CidrRoutingConfig"] for record in pair(dns, "ip-based")] == [
        {"CollectionId": collection, "LocationName": "office"},
        {"CollectionId": collection, "LocationName": "*"},
    ]


def test_the_function_asks_from_the_vpc_and_reaches_nobody(dns: StackTemplate) -> None:
    group = dns["ResolveGroup"]

    assert dns["Resolve"]["VpcConfig"]["SecurityGroupIds"] == [dns.att("ResolveGroup", "GroupId")]
    assert "SecurityGroupIngress" not in group
    assert [rule["CidrIp"] for rule in group["SecurityGroupEgress"]] == ["255.255.255.255/32"]


def test_production_keeps_the_zone_whose_name_servers_others_know(
    sandbox: Assembly, production: Assembly
) -> None:
    def policy(assembly: Assembly) -> str:
        stack = assembly.stacks["route53"]
        return str(stack.body["Resources"][stack.logical_id("Public")]["DeletionPolicy"])

    assert policy(sandbox) == "Delete"
    assert policy(production) == "Retain"


def test_nothing_is_delegated_to_a_zone_that_is_for_nobodys_domain(dns: StackTemplate) -> None:
    delegations = [r for r in dns.of_type(RECORD).values() if r["Type"] == "NS"]

    assert delegations == [dns["Partners"]]


@pytest.mark.concept("route53.record-ns")
def test_a_domain_is_delegated_by_the_zone_above_it(delegated: Assembly) -> None:
    stack = delegated.stacks["route53"]
    delegation = stack["Delegation"]

    assert stack["Public"]["Name"] == "dns.example.com."
    assert delegation["HostedZoneId"] == "Z0PARENT"
    assert (delegation["Name"], delegation["Type"]) == ("dns.example.com.", "NS")
    assert delegation["ResourceRecords"] == stack.att("Public", "NameServers")


def test_with_a_domain_nothing_is_found_that_is_not_acknowledged(delegated: Assembly) -> None:
    assert not delegated.findings("route53")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            {"domain": "dns.example.com"},
            "domain 'dns.example.com' without the zone that delegates it",
        ),
        ({"parent_zone_id": "Z0PARENT"}, "parent_zone_id 'Z0PARENT' has nothing to delegate"),
        ({"domain": "example", "parent_zone_id": "Z0PARENT"}, "'example' is not a domain name"),
        ({"domain": "Dns.example.com", "parent_zone_id": "Z0PARENT"}, "is not a domain name"),
        ({"domain": "dns.example.com.", "parent_zone_id": "Z0PARENT"}, "is not a domain name"),
        ({"domain": "-dns.example.com", "parent_zone_id": "Z0PARENT"}, "is not a domain name"),
        ({"domain": "a." * 127 + "com", "parent_zone_id": "Z0PARENT"}, "is not a domain name"),
        ({"domain": "", "parent_zone_id": ""}, "'' is not a domain name"),
    ],
)
def test_a_domain_that_nobody_could_find_is_refused_in_one_line(
    options: dict[str, str], line: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=f"^route53: .*{line}") as refusal:
        alone(compose, **options)
    assert "\n" not in str(refusal.value)
