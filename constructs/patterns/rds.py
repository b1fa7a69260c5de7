"""What databases of RDS have in common, whether they are instances or clusters."""

import aws_cdk as cdk

from patterns.validations import InvalidArgumentError

LONGEST_DAYS = 35


def backup_retention(recovery: cdk.Duration | None) -> cdk.Duration:
    """How long RDS keeps automated backups, for a database to be restored that far back.

    Args:
        recovery: 1 to 35 days; None is one day, the least that a cluster may have and that an
            instance needs if it is to have replicas.

    Raises:
        InvalidArgumentError: RDS keeps none for so short or so long.
    """
    retention = recovery or cdk.Duration.days(1)
    if not 1 <= retention.to_days(integral=False) <= LONGEST_DAYS:
        raise InvalidArgumentError(
            f"RDS keeps backups for 1 to {LONGEST_DAYS} days and a database was given a recovery "
            f"of {retention.to_human_string()}; give a length between them"
        )
    return retention
