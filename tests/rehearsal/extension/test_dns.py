"""What CloudFormation makes of zones, records and health checks, as Route 53 then tells it."""

from typing import Any

from tests.rehearsal.extension.conftest import Client, Deploy, Resources


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::{kind}", "Properties": properties}


NETWORKS: Resources = {
    name: resource("EC2::VPC", CidrBlock=cidr)
    for name, cidr in (("One", "10.1.0.0/16"), ("Other", "10.2.0.0/16"))
}


def zone(*vpcs: str, comment: str = "") -> dict[str, Any]:
    associated = [{"VPCId": {"Ref": vpc}, "VPCRegion": "us-east-1"} for vpc in vpcs]
    return resource(
        "Route53::HostedZone",
        Name="blueprints.test",
        HostedZoneConfig={"Comment": comment},
        **({"VPCs": associated} if associated else {}),
    )


def test_a_zone_without_vpcs_is_public_and_has_four_name_servers(
    deploy: Deploy, client: Client
) -> None:
    stack = deploy(
        {"Zone": zone(comment="for everybody")},
        Servers={"Fn::Join": [",", {"Fn::GetAtt": ["Zone", "NameServers"]}]},
    )

    described = client("route53").get_hosted_zone(Id=stack["Zone"])
    assert described["HostedZone"]["Config"] == {"Comment": "for everybody", "PrivateZone": False}
    assert stack.outputs["Servers"].split(",") == described["DelegationSet"]["NameServers"]
    assert len(described["DelegationSet"]["NameServers"]) == 4
    assert "VPCs" not in described


def test_a_zone_with_vpcs_is_private_and_follows_them(deploy: Deploy, client: Client) -> None:
    def associated() -> list[str]:
        described = client("route53").get_hosted_zone(Id=stack["Zone"])
        assert described["HostedZone"]["Config"]["PrivateZone"] is True
        return [vpc["VPCId"] for vpc in described["VPCs"]]

    stack = deploy({**NETWORKS, "Zone": zone("One", "Other")})
    before = stack["Zone"]
    assert associated() == [stack["One"], stack["Other"]]

    stack.update({**NETWORKS, "Zone": zone("Other", comment="smaller")})

    assert stack["Zone"] == before
    assert associated() == [stack["Other"]]

    stack.update({**NETWORKS, "Zone": zone("One")})

    assert associated() == [stack["One"]]


def test_a_zone_goes_with_its_stack(deploy: Deploy, client: Client) -> None:
    stack = deploy({"Zone": zone()})
    gone = stack["Zone"]

    stack.delete()

    left = client("route53").list_hosted_zones()["HostedZones"]
    assert f"/hostedzone/{gone}" not in [each["Id"] for each in left]


def record(**location: Any) -> dict[str, Any]:
    return resource(
        "Route53::RecordSet",
        HostedZoneId={"Ref": "Zone"},
        Name="near.blueprints.test",
        Type="A",
        TTL="60",
        SetIdentifier="first",
        ResourceRecords=["192.0.2.1"],
        GeoProximityLocation=location,
    )


def location(client: Client, zone: str) -> Any:
    records = client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    [near] = (each for each in records if each["Type"] == "A")
    return near["GeoProximityLocation"]


def test_a_record_keeps_where_its_resource_is(deploy: Deploy, client: Client) -> None:
    stack = deploy({"Zone": zone(), "Near": record(AWSRegion="us-east-1", Bias=20)})
    assert location(client, stack["Zone"]) == {"AWSRegion": "us-east-1", "Bias": 20}

    place = {"Latitude": "52.5", "Longitude": "13.4"}
    stack.update({"Zone": zone(), "Near": record(Coordinates=place, Bias=-5)})

    assert location(client, stack["Zone"]) == {"Coordinates": place, "Bias": -5}


def test_a_record_made_by_a_client_keeps_its_place_as_well(deploy: Deploy, client: Client) -> None:
    stack = deploy({"Zone": zone()})
    made = {
        "Name": "near.blueprints.test",
        "Type": "A",
        "TTL": 60,
        "SetIdentifier": "first",
        "ResourceRecords": [{"Value": "192.0.2.1"}],
        "GeoProximityLocation": {"AWSRegion": "eu-west-1", "Bias": 7},
    }

    def change(action: str) -> None:
        client("route53").change_resource_record_sets(
            HostedZoneId=stack["Zone"],
            ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": made}]},
        )

    change("CREATE")
    try:
        assert location(client, stack["Zone"]) == made["GeoProximityLocation"]
    finally:
        change("DELETE")


def check(path: str, kind: str = "HTTP") -> dict[str, Any]:
    return resource(
        "Route53::HealthCheck",
        HealthCheckConfig={
            "Type": kind,
            "FullyQualifiedDomainName": "www.blueprints.test",
            "Port": 80,
            "ResourcePath": path,
            "FailureThreshold": 2,
        },
    )


def configuration(client: Client, identifier: str) -> dict[str, Any]:
    described = client("route53").get_health_check(HealthCheckId=identifier)["HealthCheck"]
    return dict(described["HealthCheckConfig"])


def test_a_health_check_is_made_changed_and_taken_away(deploy: Deploy, client: Client) -> None:
    stack = deploy(
        {"Check": check("/")},
        Id={"Fn::GetAtt": ["Check", "HealthCheckId"]},
    )
    made = stack.outputs["Id"]
    assert stack["Check"] == made
    assert configuration(client, made) == check("/")["Properties"]["HealthCheckConfig"]

    stack.update({"Check": check("/health")}, Id={"Ref": "Check"})

    assert stack["Check"] == made
    assert configuration(client, made)["ResourcePath"] == "/health"

    stack.update({"Check": check("/health", kind="HTTPS")}, Id={"Ref": "Check"})

    assert stack["Check"] != made
    assert configuration(client, stack["Check"])["Type"] == "HTTPS"

    stack.delete()

    assert client("route53").list_health_checks()["HealthChecks"] == []
