import os
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rehearsal.extension.certificates import server_context, single_context


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    single_context.cache_clear()


def test_servers_that_start_at_the_same_time_have_one_certificate_and_functions_trust_it() -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(8) as starting:
            contexts = list(starting.map(lambda _: server_context(), range(8)))
    finally:
        sys.setswitchinterval(interval)

    assert len({id(context) for context in contexts}) == 1
    trusted = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    assert "The rehearsal's own" in str(trusted.get_ca_certs())
