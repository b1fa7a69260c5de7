"""Route 53: a public and a private zone, with records of every type and every routing policy."""

from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_logs as logs
from aws_cdk import aws_route53 as r53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct

from patterns.lambda_ import PythonFunction
from stacks.route53.domain import zone_name
from stacks.route53.routing import RoutingPolicies

HANDLERS = Path(__file__).parent / "handlers"
DIGEST = "0" * 64
# What there is besides A, AAAA, CNAME and NS; SPF gave way to TXT, and the SOA comes by itself.
# https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/ResourceRecordTypes.html
OTHER_TYPES = {
    "CAA": '0 issue "amazon.com"',
    "DS": f"12345 13 2 {DIGEST}",
    "HTTPS": '1 . alpn="h2"',
    "MX": "10 mail.example.net.",
    "NAPTR": '100 50 "u" "E2U+sip" "!^.*$!sip:info@example.net!" .',
    "PTR": "www.example.net.",
    "SRV": "1 10 5269 xmpp.example.net.",
    "SSHFP": f"4 2 {DIGEST}",
    "SVCB": "1 service.example.net. port=8443",
    "TLSA": f"3 1 1 {DIGEST}",
    "TXT": '"v=spf1 -all"',
}


class Route53Stack(cdk.Stack):
    """A public and a private zone, records of every type, and every routing policy.

    The public zone is for ``domain``, or for a name that is nobody's: then only those get an answer
    who ask the zone's own name servers, or Route 53 itself (TestDNSAnswer). Whatever asks from the
    VPC finds ``orders`` in the private zone, ``internal`` below that domain, and nobody else does.
    All addresses are of ranges that are kept for documentation.

    Args:
        vpc: Where the private zone answers. It needs DNS support and DNS hostnames.
        load_balancer: What the zone's apex stands for, and what the health checks ask.
        removal_policy: Of the public zone: another one would get other name servers.
        log_retention: Of the logs of ``Resolve``, which asks from the VPC.
        domain: A name below a hosted zone of this account. None: one that is nobody's.
        parent_zone_id: Of that hosted zone, which then delegates ``domain``. Neither goes without
            the other.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        load_balancer: elbv2.IApplicationLoadBalancer,
        removal_policy: cdk.RemovalPolicy,
        log_retention: logs.RetentionDays,
        domain: str | None = None,
        parent_zone_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        name = zone_name(domain, parent_zone_id)

        zone = r53.PublicHostedZone(self, "Public", zone_name=name)
        zone.apply_removal_policy(removal_policy)
        name_servers = zone.hosted_zone_name_servers
        assert name_servers
        if parent_zone_id:
            r53.CfnRecordSet(
                self,
                "Delegation",
                hosted_zone_id=parent_zone_id,
                name=f"{name}.",
                type="NS",
                resource_records=name_servers,
                ttl="3600",
            )

        www = self._add_record_types(zone)
        self._add_aliases(zone, load_balancer, www)
        routing = RoutingPolicies(
            self, "By", zone=zone, checked_host=load_balancer.load_balancer_dns_name
        )

        private_zone = r53.PrivateHostedZone(self, "Private", zone_name=f"internal.{name}", vpc=vpc)
        r53.ARecord(
            self,
            "Orders",
            zone=private_zone,
            record_name="orders",
            target=r53.RecordTarget.from_ip_addresses("198.51.100.1"),
        )
        resolve = self._resolver(vpc, log_retention)

        cdk.CfnOutput(self, "ZoneName", value=name)
        cdk.CfnOutput(self, "ZoneId", value=zone.hosted_zone_id)
        cdk.CfnOutput(self, "NameServers", value=cdk.Fn.join(",", name_servers))
        cdk.CfnOutput(self, "PrivateZoneId", value=private_zone.hosted_zone_id)
        cdk.CfnOutput(self, "VpcId", value=vpc.vpc_id)
        cdk.CfnOutput(self, "LoadBalancerName", value=load_balancer.load_balancer_dns_name)
        for number, check in zip(("First", "Second"), routing.checks, strict=True):
            cdk.CfnOutput(self, f"{number}CheckId", value=check.health_check_id)
        cdk.CfnOutput(self, "NetworksId", value=routing.collection_id)
        cdk.CfnOutput(self, "ResolveName", value=resolve.function_name)

    def _add_record_types(self, zone: r53.IHostedZone) -> r53.ARecord:
        """Simple routing: every answer has all values of the one record."""
        www = r53.ARecord(
            self,
            "Www",
            zone=zone,
            record_name="www",
            target=r53.RecordTarget.from_ip_addresses("192.0.2.10", "192.0.2.11"),
        )
        r53.AaaaRecord(
            self,
            "WwwV6",
            zone=zone,
            record_name="www",
            target=r53.RecordTarget.from_ip_addresses("2001:db8::10"),
        )
        r53.CnameRecord(
            self, "Docs", zone=zone, record_name="docs", domain_name=f"www.{zone.zone_name}"
        )
        r53.NsRecord(
            self,
            "Partners",
            zone=zone,
            record_name="partners",
            values=["ns1.example.net.", "ns2.example.net."],
        )
        for record_type, value in OTHER_TYPES.items():
            r53.RecordSet(
                self,
                record_type.capitalize(),
                zone=zone,
                record_type=r53.RecordType[record_type],
                # One that says how a delegated zone is signed stands where it is delegated.
                record_name="partners" if record_type == "DS" else record_type.lower(),
                target=r53.RecordTarget.from_values(value),
            )
        return www

    def _add_aliases(
        self,
        zone: r53.IHostedZone,
        load_balancer: elbv2.IApplicationLoadBalancer,
        www: r53.IRecordSet,
    ) -> None:
        """To a resource of AWS, at the apex, where no CNAME may be; and to a record beside it."""
        r53.ARecord(
            self,
            "Apex",
            zone=zone,
            target=r53.RecordTarget.from_alias(targets.LoadBalancerTarget(load_balancer)),
        )
        home = r53.ARecord(
            self,
            "Home",
            zone=zone,
            record_name="home",
            target=r53.RecordTarget.from_alias(targets.Route53RecordTarget(www)),
        )
        resource = home.node.default_child
        assert isinstance(resource, cdk.CfnResource)
        # Its E1041 knows aliases to other services only, which bring zones of their own:
        # https://docs.aws.amazon.com/Route53/latest/APIReference/API_AliasTarget.html
        resource.add_metadata("cfn-lint", {"config": {"ignore_checks": ["E1041"]}})

    def _resolver(self, vpc: ec2.IVpc, log_retention: logs.RetentionDays) -> PythonFunction:
        group = ec2.SecurityGroup(
            self,
            "ResolveGroup",
            vpc=vpc,
            # No rule applies to questions to the VPC's resolver.
            description="Resolve reaches nobody over the network, and nobody reaches it.",
            allow_all_outbound=False,
        )
        return PythonFunction(
            self,
            "Resolve",
            source=HANDLERS / "resolve",
            timeout=cdk.Duration.seconds(30),
            log_retention=log_retention,
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            security_groups=[group],
        )
