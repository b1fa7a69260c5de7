"""What differs between a stack to try and a stack to rely on."""

from dataclasses import dataclass
from enum import StrEnum

import aws_cdk as cdk
from aws_cdk import aws_logs as logs


class Nat(StrEnum):
    """How private subnets reach the internet.

    Prices and limits: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-nat.html
    """

    NONE = "none"
    GATEWAY = "gateway"
    REGIONAL = "regional"
    INSTANCE = "instance"


@dataclass(frozen=True)
class Profile:
    """The quantities that differ; stacks take the ones they use as arguments.

    Attributes:
        availability_zones: In how many zones a network lies. At most 2 while stacks name
            no region, which is all that CloudFormation's ``Fn::GetAZs`` promises.
        cidr: The VPC's IPv4 range, /16 to /24.
        nat: Bills by the hour unless ``Nat.NONE``.
        removal_policy: What happens to data when its stack is destroyed.
        deletion_protection: Refuse to delete what holds data until this is switched off.
        recovery: How far back a table can be restored, 1 to 35 days; None: not at all.
        log_retention: How long log events are kept.
        approval_timeout: How long a workflow waits for a person, 1 minute to 14 days.
        pause: How long a workflow waits where nothing but time has to pass.
    """

    availability_zones: int
    cidr: str
    nat: Nat
    removal_policy: cdk.RemovalPolicy
    deletion_protection: bool
    recovery: cdk.Duration | None
    log_retention: logs.RetentionDays
    approval_timeout: cdk.Duration
    pause: cdk.Duration


SANDBOX = Profile(
    availability_zones=2,
    cidr="10.0.0.0/16",
    nat=Nat.NONE,
    removal_policy=cdk.RemovalPolicy.DESTROY,
    deletion_protection=False,
    recovery=None,
    log_retention=logs.RetentionDays.ONE_WEEK,
    approval_timeout=cdk.Duration.minutes(1),
    pause=cdk.Duration.seconds(1),
)
PRODUCTION = Profile(
    availability_zones=2,
    cidr="10.0.0.0/16",
    nat=Nat.GATEWAY,
    removal_policy=cdk.RemovalPolicy.RETAIN,
    deletion_protection=True,
    recovery=cdk.Duration.days(35),
    log_retention=logs.RetentionDays.ONE_YEAR,
    approval_timeout=cdk.Duration.days(1),
    pause=cdk.Duration.minutes(15),
)
