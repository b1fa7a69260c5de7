"""Cold runs are dear: two per profile, shared by the gates that look at them."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.gates.cold import ColdRun, copy_sources, run_app


@pytest.fixture(scope="session")
def cold_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[ColdRun]]:
    """Two runs by profile, alike in nothing that must not matter."""
    elsewhere = copy_sources(tmp_path_factory.mktemp("elsewhere") / "a copy")
    with ThreadPoolExecutor(max_workers=2) as pool:
        runs = {
            profile: [
                pool.submit(
                    run_app,
                    tmp_path_factory.mktemp("here"),
                    {"profile": profile},
                    PYTHONHASHSEED="1",
                    TZ="UTC",
                ),
                pool.submit(
                    run_app,
                    tmp_path_factory.mktemp("there"),
                    {"profile": profile},
                    sources=elsewhere,
                    PYTHONHASHSEED="2",
                    TZ="Asia/Kolkata",
                ),
            ]
            for profile in ("sandbox", "production")
        }
    return {profile: [run.result() for run in pair] for profile, pair in runs.items()}
