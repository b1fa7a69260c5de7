"""The domain that the zone is for: one of your own, or one that is nobody's."""

import re

from patterns.validations import InvalidArgumentError

# Reserved for tests, so nobody else's (RFC 6761). Route 53 hosts it all the same, as it does for
# the CDK's own tests, and its servers answer whoever asks them; no other server knows of it.
# https://github.com/aws/aws-cdk/tree/main/packages/@aws-cdk-testing/framework-integ/test/aws-route53
NOBODYS = "blueprints.test"
DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")


def zone_name(domain: str | None, parent_zone_id: str | None) -> str:
    """The name of the zone.

    Args:
        domain: Yours, or None for one that is nobody's.
        parent_zone_id: Of the zone that is to delegate ``domain``, or None as well.

    Raises:
        InvalidArgumentError: If nobody could be led to the zone, or its name is none.
    """
    if domain is None and parent_zone_id is None:
        return NOBODYS
    if domain is None:
        raise InvalidArgumentError(
            f"route53: parent_zone_id '{parent_zone_id}' has nothing to delegate; give the domain "
            "below it as well, or neither"
        )
    if not DOMAIN.fullmatch(domain) or len(domain) > 255:
        raise InvalidArgumentError(
            f"route53: '{domain}' is not a domain name; give one like dns.example.com, in lower "
            "case and without a dot at the end"
        )
    if parent_zone_id is None:
        raise InvalidArgumentError(
            f"route53: domain '{domain}' without the zone that delegates it would be asked by "
            "nobody; give that hosted zone's id as parent_zone_id, or neither"
        )
    return domain
