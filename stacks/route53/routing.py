"""One name for each routing policy: two sites, and what decides which of them an answer has."""

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_route53 as r53
from constructs import Construct

# RFC 5737 keeps these for documentation.
FIRST, SECOND = "192.0.2.1", "192.0.2.2"
OFFICE = "203.0.113.0/24"
TTL = cdk.Duration.minutes(1)


class RoutingPolicies(Construct):
    """Every policy but simple routing, each under a name of its own: ``weighted``, ``latency``...

    Records of one name and type are told apart by their set identifiers, here ``first`` and
    ``second``, and follow the same policy. With HTTP and every half a minute, one health check
    asks for the load balancer on behalf of each site: made-up addresses cannot be checked.

    Args:
        zone: A public one.
        checked_host: What the health checks ask, on port 80; anything but an error is healthy.
    """

    checks: tuple[r53.HealthCheck, r53.HealthCheck]
    collection_id: str

    def __init__(
        self, scope: Construct, construct_id: str, *, zone: r53.IHostedZone, checked_host: str
    ) -> None:
        super().__init__(scope, construct_id)

        first_check, second_check = self.checks = (
            self._check("FirstCheck", checked_host),
            self._check("SecondCheck", checked_host),
        )
        collection = r53.CfnCidrCollection(
            self,
            "Networks",
            # Route 53 knows no regions, so that two of them need two names.
            name=f"{cdk.Names.unique_resource_name(self, max_length=40)}-{cdk.Aws.REGION}",
            locations=[
                r53.CfnCidrCollection.LocationProperty(location_name="office", cidr_list=[OFFICE])
            ],
        )
        self.collection_id = collection.attr_id

        in_office = r53.CidrRoutingConfig.create(
            collection_id=self.collection_id, location_name="office"
        )
        elsewhere = r53.CidrRoutingConfig.with_default_location_name(self.collection_id)
        policies: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
            "weighted": ({"weight": 90}, {"weight": 10}),
            "failover": (
                {"failover": r53.Failover.PRIMARY, "health_check": first_check},
                {"failover": r53.Failover.SECONDARY},
            ),
            "latency": ({"region": "us-east-1"}, {"region": "eu-west-1"}),
            "geolocation": (
                {"geo_location": r53.GeoLocation.country("DE")},
                # Without a default, whoever is elsewhere gets no answer.
                {"geo_location": r53.GeoLocation.default()},
            ),
            "multivalue": (
                {"multi_value_answer": True, "health_check": first_check},
                {"multi_value_answer": True, "health_check": second_check},
            ),
            "ip-based": ({"cidr_routing_config": in_office}, {"cidr_routing_config": elsewhere}),
        }
        for name, (first, second) in policies.items():
            for site, address, policy in (("first", FIRST, first), ("second", SECOND, second)):
                r53.ARecord(
                    self,
                    f"{name}-{site}",
                    zone=zone,
                    record_name=name,
                    target=r53.RecordTarget.from_ip_addresses(address),
                    ttl=TTL,
                    set_identifier=site,
                    **policy,
                )
        self._geoproximity("first", FIRST, zone, {"AWSRegion": "us-east-1", "Bias": 20})
        self._geoproximity("second", SECOND, zone, {"AWSRegion": "eu-west-1"})

    def _check(self, name: str, host: str) -> r53.HealthCheck:
        return r53.HealthCheck(
            self,
            name,
            type=r53.HealthCheckType.HTTP,
            fqdn=host,
            port=80,
            resource_path="/",
            request_interval=cdk.Duration.seconds(30),
            failure_threshold=3,
        )

    def _geoproximity(
        self, site: str, address: str, zone: r53.IHostedZone, location: Mapping[str, Any]
    ) -> None:
        record = r53.CfnRecordSet(
            self,
            f"geoproximity-{site}",
            hosted_zone_id=zone.hosted_zone_id,
            name=f"geoproximity.{zone.zone_name}.",
            type="A",
            resource_records=[address],
            ttl=str(TTL.to_seconds()),
            set_identifier=site,
        )
        # CloudFormation has it, the CDK only in groups of records.
        record.add_property_override("GeoProximityLocation", location)
