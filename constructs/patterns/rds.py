"""What databases of RDS have in common, whether they are instances or clusters."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from constructs import Construct

from patterns.lambda_ import PackagesLayer
from patterns.validations import InvalidArgumentError

LAYERS = Path(__file__).parent / "layers"
LONGEST_DAYS = 35

# Signs a database's certificate; ``PostgresClient`` trusts the one of this name of every Region.
AUTHORITY = rds.CaCertificate.RDS_CA_RSA2048_G1


class PostgresClient(Construct):
    """What a function imports to speak PostgreSQL to databases of RDS.

    ``pg8000`` is the client. ``rds_tls.context()`` is what to connect with, so that the database's
    certificate is verified: systems do not trust RDS's authorities by themselves.

    Attributes:
        layers: For the function; two of the five that it may have.
    """

    layers: list[lambda_.ILayerVersion]

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)

        packages = PackagesLayer(
            self,
            "Packages",
            source=LAYERS / "postgres",
            description="pg8000, a client of PostgreSQL.",
        )
        tls = PackagesLayer(
            self,
            "Tls",
            source=LAYERS / "rds_tls",
            description="rds_tls, which verifies the certificates of databases of RDS.",
        )
        self.layers = [packages, tls]


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
