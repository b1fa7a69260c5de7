"""Arguments that cannot work, and findings that do not apply, each with the reason."""

import aws_cdk as cdk
from constructs import IConstruct


class InvalidArgumentError(ValueError):
    """An argument of a stack that AWS would refuse in the middle of a deployment.

    The message is one line, which ``app.py`` shows: what is wrong, what was given, what to do.
    """


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


def wildcard_below(construct: IConstruct, suffix: str) -> str:
    """The rule that finds a policy on everything below the ARN of ``construct``.

    cdk-nag names the finding by logical id, which changes with the construct's path.

    Args:
        construct: An L2 with an ARN: a bucket, a function.
        suffix: What follows its ARN in the policy, as in ``/*`` or ``:*``.
    """
    resource = construct.node.default_child
    assert isinstance(resource, cdk.CfnElement)
    logical_id = cdk.Stack.of(construct).get_logical_id(resource)
    return f"AwsSolutions::AwsSolutions-IAM5[Resource::<{logical_id}.Arn>{suffix}]"
