"""The security group that every VPC starts with, whose members let each other in."""

from rehearsal.extension import loopback
from rehearsal.extension.completions import Completion, Properties
from rehearsal.extension.resource_type import Request


def _open_among_members(vpc: str, old: Properties, request: Request) -> None:
    """Add the rule that AWS makes and MiniStack does not.

    https://docs.aws.amazon.com/vpc/latest/userguide/default-security-group.html
    """
    if old:
        return
    ec2 = loopback.client("ec2")
    [default] = ec2.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    )["SecurityGroups"]
    group = default["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}],
    )


COMPLETIONS = {"AWS::EC2::VPC": Completion(finish=_open_among_members)}
