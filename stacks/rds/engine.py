"""The engines this blueprint is made for: RDS runs more of them, each in its own way."""

from enum import StrEnum

from aws_cdk import aws_rds as rds


class Engine(StrEnum):
    """A database engine, by the name that RDS has for it."""

    POSTGRES = "postgres"
    MARIADB = "mariadb"

    @property
    def version(self) -> rds.IInstanceEngine:
        """A version in standard support."""
        match self:
            case Engine.POSTGRES:
                return rds.DatabaseInstanceEngine.postgres(
                    version=rds.PostgresEngineVersion.VER_18_3
                )
            case Engine.MARIADB:
                return rds.DatabaseInstanceEngine.maria_db(
                    version=rds.MariaDbEngineVersion.VER_11_8_6
                )

    @property
    def requires_tls(self) -> dict[str, str]:
        """The parameter that has it refuse connections without TLS."""
        match self:
            case Engine.POSTGRES:
                return {"rds.force_ssl": "1"}
            case Engine.MARIADB:
                return {"require_secure_transport": "1"}

    @property
    def after_standard_support(self) -> rds.EngineLifecycleSupport | None:
        """An upgrade, where RDS would otherwise bill extended support by processor and hour.

        https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/extended-support.html
        """
        match self:
            case Engine.POSTGRES:
                return rds.EngineLifecycleSupport.OPEN_SOURCE_RDS_EXTENDED_SUPPORT_DISABLED
            case Engine.MARIADB:
                return None
