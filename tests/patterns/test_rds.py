"""What holds of every database of RDS, and of functions that connect to one."""

import os
import ssl
import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
import pytest
import rds_tls
from cryptography import x509

from patterns.rds import AUTHORITY, PostgresClient, backup_retention
from patterns.validations import InvalidArgumentError
from tests.assembly import CONTEXT


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


def test_with_nothing_but_its_layers_a_function_has_a_client_that_trusts_rds(
    tmp_path: Path,
) -> None:
    app = cdk.App(context=CONTEXT, analytics_reporting=False, outdir=str(tmp_path))
    PostgresClient(cdk.Stack(app, "shop"), "Postgres")
    app.synth()

    script = "import pg8000.native, rds_tls; print(rds_tls.context().get_ca_certs())"
    layers = [str(asset / "python") for asset in tmp_path.glob("asset.*")]
    function = subprocess.run(
        [sys.executable, "-S", "-c", script],  # without what is installed here
        env={"PYTHONPATH": os.pathsep.join(layers)},
        capture_output=True,
        text=True,
    )
    assert function.stderr == ""
    assert "Amazon RDS eu-west-1 Root CA RSA2048 G1" in function.stdout


def test_certificates_are_verified_against_the_hosts_name() -> None:
    context = rds_tls.context()

    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_the_authorities_are_those_that_sign_in_every_region_and_nobody_else() -> None:
    assert AUTHORITY.to_string() == rds_tls.AUTHORITIES.stem

    certificates = x509.load_pem_x509_certificates(rds_tls.AUTHORITIES.read_bytes())
    names = [
        str(each.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value).split()
        for each in certificates
    ]
    assert {"us-east-1", "eu-west-1", "ap-southeast-2"} < {name[2] for name in names}
    assert {" ".join([*name[:2], *name[3:]]) for name in names} == {"Amazon RDS Root CA RSA2048 G1"}
    for certificate in certificates:
        certificate.verify_directly_issued_by(certificate)
