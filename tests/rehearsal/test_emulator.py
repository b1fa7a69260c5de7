"""Servers that do not do as they should, and how the rehearsal gets rid of them."""

import sys
import time
from collections.abc import Iterator

import pytest

from rehearsal import emulator
from rehearsal.emulator import Emulator, EmulatorDiedError
from rehearsal.errors import RehearsalError
from rehearsal.processes import Workshop
from tests.rehearsal.conftest import Cloud

DIES = "print('no room to live'); raise SystemExit(3)"
DIES_LATER = "import time; time.sleep(0.3)"
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('never ready', flush=True)
time.sleep(60)
"""


def server(program: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program)


@pytest.fixture
def workshop() -> Iterator[Workshop]:
    with Workshop() as workshop:
        yield workshop


def test_a_server_that_ends_at_once_is_quoted(workshop: Workshop) -> None:
    with (
        pytest.raises(EmulatorDiedError) as death,
        Emulator(workshop, server=server(DIES)) as dying,
    ):
        dying.wait_until_ready()
    assert str(death.value) == (
        "the emulator ended (exit status 3) although it was not stopped; its log ends:\n"
        "  no room to live"
    )


def test_a_server_that_never_answers_is_given_up_and_killed(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator, "START_S", 0.5)
    monkeypatch.setattr(emulator, "STOP_S", 0.1)
    with (
        pytest.raises(RehearsalError, match=r"does not answer on .* its log ends:\n  never ready"),
        Emulator(workshop, server=server(DEAF)) as deaf,
    ):
        deaf.wait_until_ready()
    assert not deaf.running


def test_a_command_is_not_waited_for_when_the_server_is_gone(workshop: Workshop) -> None:
    command = workshop.start("sleep", ["sleep", "60"], environment={})
    began = time.monotonic()
    with (
        pytest.raises(EmulatorDiedError),
        Emulator(workshop, server=server(DIES_LATER)) as dying,
    ):
        dying.attend(command)
    assert time.monotonic() - began < 5


def test_what_goes_wrong_because_the_server_is_gone_is_told_as_that(workshop: Workshop) -> None:
    with (
        pytest.raises(EmulatorDiedError),
        Emulator(workshop, server=server(DIES)) as dying,
    ):
        dying.tiers()


def test_a_command_that_never_ends_is_given_up(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulator, "COMMAND_S", 0.3)
    monkeypatch.setattr(emulator, "STOP_S", 0.1)
    command = workshop.start("cdk-deploy", ["sleep", "60"], environment={})
    with (
        pytest.raises(RehearsalError, match="cdk-deploy is not done after"),
        Emulator(workshop, server=server(DEAF)) as deaf,
    ):
        deaf.attend(command)


@pytest.mark.parametrize("port", [0, 80, 65536])
def test_a_port_that_cannot_be_had_is_refused(port: int, workshop: Workshop) -> None:
    with pytest.raises(RehearsalError, match=f"port {port} will not do; give one from 1024"):
        Emulator(workshop, port)


def test_the_emulator_is_asked_directly_whatever_proxy_there_is(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert cloud.emulator.tiers()["AWS::SQS::Queue"] == "emulated"
