"""What holds of every database of RDS."""

import aws_cdk as cdk
import pytest

from patterns.rds import backup_retention
from patterns.validations import InvalidArgumentError


@pytest.mark.parametrize(
    ("recovery", "days"),
    [(None, 1), (cdk.Duration.days(1), 1), (cdk.Duration.days(35), 35)],
)
def test_backups_are_kept_as_long_as_one_may_go_back(
    recovery: cdk.Duration | None, days: int
) -> None:
    assert backup_retention(recovery).to_days() == days


@pytest.mark.parametrize("hours", [12, 36 * 24])
def test_a_recovery_that_rds_does_not_offer_is_refused(hours: int) -> None:
    with pytest.raises(InvalidArgumentError, match=r"1 to 35 days .* given a recovery of"):
        backup_retention(cdk.Duration.hours(hours))
