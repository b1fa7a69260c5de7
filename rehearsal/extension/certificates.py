"""TLS on the loopback: a certificate of the rehearsal's own, and who trusts it.

Made when it is first needed. The functions that the emulator runs trust it besides what they trust
anyway, because OpenSSL lets the environment name the authorities; what is deployed does not differ.
"""

import functools
import ipaddress
import os
import ssl
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rehearsal.extension.clock import machine_time

LOOPBACK = "127.0.0.1"
_VALID = timedelta(days=30)
_once = threading.Lock()


def server_context() -> ssl.SSLContext:
    """For who answers on the loopback; functions started from now on trust the certificate.

    There is one, however many databases and caches are made at the same time.
    """
    with _once:
        return single_context()


@functools.cache
def single_context() -> ssl.SSLContext:
    """Not to be called by two at the same time, who would get one each."""
    certificate, key = _self_signed()
    directory = Path(tempfile.mkdtemp(prefix="certificates-"))
    (directory / "own.pem").write_bytes(key + certificate)
    authorities = directory / "authorities.pem"
    authorities.write_bytes(_authorities_of_this_machine() + certificate)
    os.environ["SSL_CERT_FILE"] = str(authorities)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "own.pem")
    return context


def _authorities_of_this_machine() -> bytes:
    bundle = ssl.get_default_verify_paths().cafile
    return Path(bundle).read_bytes() + b"\n" if bundle else b""


def _self_signed() -> tuple[bytes, bytes]:
    """A certificate for the loopback that is its own authority, and its key, as PEM."""
    # It takes a tenth of a second to import, and most blueprints never need it.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "The rehearsal's own")])
    # Whoever verifies it goes by the machine's clock, not by the emulator's.
    now = datetime.fromtimestamp(machine_time(), UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _VALID)
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address(LOOPBACK)), x509.DNSName("localhost")]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )
