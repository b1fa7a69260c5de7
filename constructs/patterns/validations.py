"""Findings that do not apply, each with the reason, at the construct where they are found."""

import aws_cdk as cdk
from constructs import IConstruct


def acknowledge(construct: IConstruct, *rules: str, reason: str) -> None:
    """Record why rules do not apply to ``construct`` and what is below it.

    Args:
        construct: The lowest construct that has the findings; a test refuses what is higher.
        rules: As ``<pack>::<rule>``, with the finding in brackets where the rule has one. Only so
            does the acknowledgement reach the validation report:
            ``AwsSolutions::AwsSolutions-IAM5[Resource::*]``.
        reason: What a reviewer would accept.
    """
    for rule in rules:
        cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=rule, reason=reason))
