"""TLS to databases of RDS, whose certificates no system trusts by itself.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
"""

import ssl
from pathlib import Path

# Of every Region there was in 2024; newer ones are in
# https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
AUTHORITIES = Path(__file__).with_name("rds-ca-rsa2048-g1.pem")


def context() -> ssl.SSLContext:
    """Verify a database's certificate and its host's name, with RDS's authorities added."""
    tls = ssl.create_default_context()
    tls.load_verify_locations(AUTHORITIES)
    return tls
