"""What differs between a stack to try and a stack to rely on."""

from dataclasses import dataclass
from enum import StrEnum

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_logs as logs


class Nat(StrEnum):
    """How private subnets reach the internet.

    Prices and limits: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat.html
    """

    NONE = "none"
    GATEWAY = "gateway"
    REGIONAL = "regional"
    INSTANCE = "instance"

    @property
    def subnet_type(self) -> ec2.SubnetType:
        """Where what asks the internet lies: in private subnets, if these reach it.

        In public ones it needs an address of its own, which bills by the hour.
        """
        if self is Nat.NONE:
            return ec2.SubnetType.PUBLIC
        return ec2.SubnetType.PRIVATE_WITH_EGRESS


@dataclass(frozen=True)
class Fleet:
    """How many servers a group has.

    Attributes:
        minimum: Never fewer than these.
        desired: How many there are at first; what scales the group changes it.
        maximum: Never more than these.
        friday_minimum: Never fewer than these on Friday evenings.
    """

    minimum: int
    desired: int
    maximum: int
    friday_minimum: int


@dataclass(frozen=True)
class Profile:
    """The quantities that differ; stacks take the ones they use as arguments.

    Attributes:
        availability_zones: In how many zones a network lies. At most 2 while stacks name
            no region, which is all that CloudFormation's ``Fn::GetAZs`` promises.
        cidr: The VPC's IPv4 range, /16 to /24.
        nat: Bills by the hour unless ``Nat.NONE``.
        endpoint_zones: In how many zones interface endpoints lie, 1 or 2; each bills by the hour.
        removal_policy: What happens to data when its stack is destroyed.
        deletion_protection: Refuse to delete what holds data until this is switched off.
        recovery: How far back a table or database can be restored, 1 to 35 days; None: not at all.
        multi_az: Whether what serves requests has a second in another zone, which bills like the
            first: a database's standby, a cache's node, a task.
        read_replica: Whether a database has a copy for reads, which bills like the first.
        spot: Whether containers run on spare capacity, which AWS takes back at two minutes' notice.
        min_capacity: Aurora capacity units that an instance keeps awake, which bill by the hour; 0
            lets it pause.
        load_balanced: Whether a web application has a load balancer and a second instance, both of
            which bill by the hour.
        fleet: How many servers there are behind a load balancer, each of which bills by the hour.
        log_retention: How long log events are kept.
        access_logs: How long requests are on record that load balancers and buckets get, in days;
            None: not at all.
        approval_timeout: How long a workflow waits for a person, 1 minute to 14 days.
        pause: How long a workflow waits where nothing but time has to pass.
    """

    availability_zones: int
    cidr: str
    nat: Nat
    endpoint_zones: int
    removal_policy: cdk.RemovalPolicy
    deletion_protection: bool
    recovery: cdk.Duration | None
    multi_az: bool
    read_replica: bool
    min_capacity: float
    spot: bool
    load_balanced: bool
    fleet: Fleet
    log_retention: logs.RetentionDays
    access_logs: cdk.Duration | None
    approval_timeout: cdk.Duration
    pause: cdk.Duration


SANDBOX = Profile(
    availability_zones=2,
    cidr="10.0.0.0/16",
    nat=Nat.NONE,
    endpoint_zones=1,
    removal_policy=cdk.RemovalPolicy.DESTROY,
    deletion_protection=False,
    recovery=None,
    multi_az=False,
    read_replica=False,
    min_capacity=0,
    spot=True,
    load_balanced=False,
    fleet=Fleet(minimum=0, desired=1, maximum=2, friday_minimum=1),
    log_retention=logs.RetentionDays.ONE_WEEK,
    access_logs=None,
    approval_timeout=cdk.Duration.minutes(1),
    pause=cdk.Duration.seconds(1),
)
PRODUCTION = Profile(
    availability_zones=2,
    cidr="10.0.0.0/16",
    nat=Nat.GATEWAY,
    endpoint_zones=2,
    removal_policy=cdk.RemovalPolicy.RETAIN,
    deletion_protection=True,
    recovery=cdk.Duration.days(35),
    multi_az=True,
    read_replica=True,
    min_capacity=0.5,
    spot=False,
    load_balanced=True,
    fleet=Fleet(minimum=2, desired=2, maximum=12, friday_minimum=10),
    log_retention=logs.RetentionDays.ONE_YEAR,
    access_logs=cdk.Duration.days(365),
    approval_timeout=cdk.Duration.days(1),
    pause=cdk.Duration.minutes(15),
)
