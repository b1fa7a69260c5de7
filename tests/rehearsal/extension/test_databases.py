"""What stands behind an emulated database: a PostgreSQL that does what RDS's answers say."""

import contextlib
import ctypes
import json
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError
from pg8000.native import Connection, DatabaseError, InterfaceError

from tests.rehearsal.extension.conftest import (
    Client,
    Deploy,
    Resources,
    Server,
    start_server,
    stop_server,
)

PASSWORD = 'it\'s a \\ "secret"'
IPC_STAT = 2

Described = dict[str, Any]
Connect = Callable[..., contextlib.AbstractContextManager[Connection]]


def trusted(server: Server) -> ssl.SSLContext:
    """What a function that starts now trusts."""
    [authorities] = server.state.glob("tmp/certificates-*/authorities.pem")
    return ssl.create_default_context(cafile=str(authorities))


def create(rds: Any, **parameters: Any) -> Described:
    name = f"db-{uuid4().hex[:8]}"
    defaults = {
        "Engine": "postgres",
        "EngineVersion": "18.3",
        "DBInstanceClass": "db.t4g.micro",
        "AllocatedStorage": 20,
        "DBName": "shop",
        "MasterUsername": "ada",
        "MasterUserPassword": PASSWORD,
        "Port": 20000 + uuid4().int % 12000,
    }
    rds.create_db_instance(DBInstanceIdentifier=name, **(defaults | parameters))
    return described(rds, name)


def described(rds: Any, name: str) -> Described:
    return dict(rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0])


def delete(rds: Any, name: str) -> None:
    rds.delete_db_instance(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


def processes(directory: Path) -> set[int]:
    """The server of a database and its children."""
    server = int((directory / "data" / "postmaster.pid").read_text().splitlines()[0])
    return {pid for pid, parent in living().items() if server in (pid, parent)}


def living() -> dict[int, int]:
    """The parents of all processes, but for the dead whom nobody has asked about yet."""
    command = ["ps", "-eo", "pid=,ppid=,stat="]
    listed = subprocess.run(command, capture_output=True, text=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return {int(pid): int(parent) for pid, parent, state in rows if state[0] != "Z"}


def shared_memory(directory: Path) -> int:
    """The identifier of the shared memory of the database in a directory."""
    return int((directory / "data" / "postmaster.pid").read_text().splitlines()[6].split()[1])


def is_shared_memory(identifier: int) -> bool:
    status = ctypes.create_string_buffer(512)
    return bool(ctypes.CDLL(None).shmctl(identifier, IPC_STAT, status) == 0)


@pytest.fixture
def connect(server: Server) -> Connect:
    """Connect to a described database, as a verifying client unless told otherwise."""

    @contextlib.contextmanager
    def connect(database: Described, **options: Any) -> Iterator[Connection]:
        endpoint = database["Endpoint"]
        defaults = {"password": PASSWORD, "ssl_context": trusted(server), "timeout": 5}
        connection = Connection(
            database["MasterUsername"],
            host=endpoint["Address"],
            port=endpoint["Port"],
            database=database["DBName"],
            **(defaults | options),
        )
        try:
            yield connection
        finally:
            with contextlib.suppress(InterfaceError):
                connection.close()

    return connect


@pytest.fixture(scope="module")
def rds(client: Client) -> Any:
    return client("rds")


@pytest.fixture(scope="module")
def database(rds: Any) -> Iterator[Described]:
    database = create(rds)
    yield database
    delete(rds, database["DBInstanceIdentifier"])


@pytest.fixture
def replica(rds: Any, database: Described) -> Iterator[Described]:
    name = f"{database['DBInstanceIdentifier']}-replica"
    rds.create_db_instance_read_replica(
        DBInstanceIdentifier=name, SourceDBInstanceIdentifier=database["DBInstanceArn"]
    )
    yield described(rds, name)
    delete(rds, name)


def instance(**properties: Any) -> Resources:
    defaults = {
        "Engine": "postgres",
        "EngineVersion": "18.3",
        "DBInstanceClass": "db.t4g.micro",
        "AllocatedStorage": "20",
        "MasterUsername": "ada",
        "MasterUserPassword": PASSWORD,
    }
    return {
        "Database": {
            "Type": "AWS::RDS::DBInstance",
            "DeletionPolicy": "Delete",
            "Properties": defaults | properties,
        }
    }


def test_a_stack_gets_a_database_that_its_secret_opens(
    deploy: Deploy, client: Client, rds: Any, connect: Connect
) -> None:
    resolved = {
        key: {"Fn::Sub": f"{{{{resolve:secretsmanager:${{Secret}}:SecretString:{key}::}}}}"}
        for key in ("username", "password")
    }
    stack = deploy(
        {
            "Secret": {
                "Type": "AWS::SecretsManager::Secret",
                "Properties": {
                    "GenerateSecretString": {
                        "SecretStringTemplate": '{"username": "grace"}',
                        "GenerateStringKey": "password",
                    }
                },
            },
            **instance(
                DBName="shop",
                MaxAllocatedStorage=100,
                VPCSecurityGroups=["sg-1"],
                MasterUsername=resolved["username"],
                MasterUserPassword=resolved["password"],
            ),
            "Attachment": {
                "Type": "AWS::SecretsManager::SecretTargetAttachment",
                "Properties": {
                    "SecretId": {"Ref": "Secret"},
                    "TargetId": {"Ref": "Database"},
                    "TargetType": "AWS::RDS::DBInstance",
                },
            },
        },
        Host={"Fn::GetAtt": ["Database", "Endpoint.Address"]},
        Port={"Fn::GetAtt": ["Database", "Endpoint.Port"]},
    )
    database = described(rds, stack["Database"])
    assert (database["AllocatedStorage"], database["MaxAllocatedStorage"]) == (20, 100)
    assert database["VpcSecurityGroups"][0]["VpcSecurityGroupId"] == "sg-1"

    value = client("secretsmanager").get_secret_value(SecretId=stack["Secret"])
    secret = json.loads(value["SecretString"])
    assert (secret["host"], str(secret["port"])) == (stack.outputs["Host"], stack.outputs["Port"])
    with connect(database, password=secret["password"]) as connection:
        assert connection.run("SELECT current_user, current_database()") == [["grace", "shop"]]


def test_a_changed_template_changes_the_database_and_a_deleted_stack_deletes_it(
    deploy: Deploy, rds: Any
) -> None:
    stack = deploy(instance(MaxAllocatedStorage=100))
    name = stack["Database"]
    stack.update(instance(MaxAllocatedStorage=200))
    assert stack["Database"] == name
    assert described(rds, name)["MaxAllocatedStorage"] == 200

    stack.delete()
    with pytest.raises(ClientError, match="DBInstanceNotFound"):
        described(rds, name)


def test_the_server_has_the_major_version_that_is_described(
    database: Described, connect: Connect
) -> None:
    with connect(database) as connection:
        [[version]] = connection.run("SELECT version()")

    assert version.startswith(f"PostgreSQL {database['EngineVersion'].split('.')[0]}.")


def test_a_version_that_is_not_there_fails_with_the_reason_and_leaves_nothing(
    attempt: Deploy, rds: Any
) -> None:
    def names() -> set[str]:
        listed = rds.describe_db_instances()["DBInstances"]
        return {each["DBInstanceIdentifier"] for each in listed}

    before = names()
    stack = attempt(instance(EngineVersion="17.9"))

    assert stack.status == "ROLLBACK_COMPLETE"
    assert "the rehearsal has PostgreSQL 16 and 18, not 17" in stack.reasons[-1]
    assert names() == before


def test_behind_another_engine_there_is_nothing(rds: Any, connect: Connect) -> None:
    database = create(rds, Engine="mariadb", EngineVersion="11.8.6")

    with pytest.raises(InterfaceError), connect(database):
        pass
    delete(rds, database["DBInstanceIdentifier"])


def test_a_client_that_does_not_trust_the_rehearsal_does_not_connect(
    database: Described, connect: Connect
) -> None:
    # pg8000 raises one or the other, as it gets to know.
    with (
        pytest.raises((ssl.SSLCertVerificationError, InterfaceError)),
        connect(database, ssl_context=ssl.create_default_context()),
    ):
        pass


@pytest.mark.parametrize(("forced", "accepted"), [("1", False), ("0", True)])
def test_the_parameter_group_says_whether_a_connection_needs_tls(
    rds: Any, connect: Connect, forced: str, accepted: bool
) -> None:
    group = f"group-{uuid4().hex[:8]}"
    rds.create_db_parameter_group(
        DBParameterGroupName=group, DBParameterGroupFamily="postgres18", Description="any"
    )
    rds.modify_db_parameter_group(
        DBParameterGroupName=group,
        Parameters=[
            {
                "ParameterName": "rds.force_ssl",
                "ParameterValue": forced,
                "ApplyMethod": "immediate",
            }
        ],
    )
    database = create(rds, DBParameterGroupName=group)
    try:
        refusal = contextlib.nullcontext() if accepted else pytest.raises(DatabaseError, match="no")
        with refusal, connect(database, ssl_context=False):
            pass
    finally:
        delete(rds, database["DBInstanceIdentifier"])
        rds.delete_db_parameter_group(DBParameterGroupName=group)


def test_without_a_parameter_group_of_its_own_it_needs_tls(
    database: Described, connect: Connect
) -> None:
    with (
        pytest.raises(DatabaseError, match="no encryption"),
        connect(database, ssl_context=False),
    ):
        pass


def test_the_master_user_is_no_superuser_and_runs_no_program_on_the_host(
    database: Described, connect: Connect
) -> None:
    with connect(database) as connection:
        assert connection.run("SELECT current_setting('is_superuser')") == [["off"]]
        with pytest.raises(DatabaseError, match="42501"):
            connection.run("COPY (SELECT 1) TO PROGRAM 'cat'")


def test_a_reboot_breaks_connections_and_keeps_data(
    rds: Any, database: Described, connect: Connect
) -> None:
    name = database["DBInstanceIdentifier"]
    with connect(database) as connection:
        connection.run("CREATE TABLE kept AS SELECT 1 AS number")
        rds.reboot_db_instance(DBInstanceIdentifier=name)
        with pytest.raises((InterfaceError, DatabaseError)):
            connection.run("SELECT 1")

    with connect(database) as connection:
        assert connection.run("SELECT number FROM kept") == [[1]]


def test_nobody_answers_for_a_stopped_database(
    rds: Any, database: Described, connect: Connect
) -> None:
    name = database["DBInstanceIdentifier"]
    rds.stop_db_instance(DBInstanceIdentifier=name)
    assert described(rds, name)["DBInstanceStatus"] == "stopped"
    with pytest.raises(InterfaceError), connect(database):
        pass

    rds.start_db_instance(DBInstanceIdentifier=name)
    with connect(database) as connection:
        assert connection.run("SELECT 1") == [[1]]


def test_a_new_password_takes_the_place_of_the_old_one(
    rds: Any, database: Described, connect: Connect
) -> None:
    name = database["DBInstanceIdentifier"]
    rds.modify_db_instance(DBInstanceIdentifier=name, MasterUserPassword="another one")
    with connect(database, password="another one"):
        pass
    with pytest.raises(DatabaseError, match="28P01"), connect(database):
        pass

    rds.modify_db_instance(DBInstanceIdentifier=name, MasterUserPassword=PASSWORD)


def test_a_replica_follows_its_primary_across_a_reboot_and_takes_no_writes(
    rds: Any, database: Described, replica: Described, connect: Connect
) -> None:
    assert replica["ReadReplicaSourceDBInstanceIdentifier"] == database["DBInstanceIdentifier"]
    rds.reboot_db_instance(DBInstanceIdentifier=database["DBInstanceIdentifier"])
    with connect(database) as connection:
        connection.run("CREATE TABLE copied AS SELECT 2 AS number")

    deadline = time.monotonic() + 20
    with connect(replica) as connection:
        copied = "SELECT count(*) FROM pg_tables WHERE tablename = 'copied'"
        while connection.run(copied) != [[1]]:
            assert time.monotonic() < deadline, "the replica does not follow"
            time.sleep(0.05)
        with pytest.raises(DatabaseError, match="25006"):
            connection.run("INSERT INTO copied VALUES (3)")


def test_of_a_deleted_database_nothing_is_left(rds: Any, server: Server, connect: Connect) -> None:
    before = set(server.state.glob("pg*"))
    database = create(rds)
    [directory] = set(server.state.glob("pg*")) - before
    memory, at_work = shared_memory(directory), processes(directory)
    delete(rds, database["DBInstanceIdentifier"])

    assert not directory.exists()
    assert not at_work & living().keys()
    assert not is_shared_memory(memory)
    with pytest.raises(InterfaceError), connect(database):
        pass


def test_of_a_killed_emulators_databases_nothing_is_left(tmp_path: Path) -> None:
    server = start_server(tmp_path / "emulator")
    create(server.client("rds"))
    directory = server.state / "pg1"
    memory, at_work = shared_memory(directory), processes(directory)
    assert len(at_work) > 1
    assert is_shared_memory(memory)

    stop_server(server)
    deadline = time.monotonic() + 10
    while at_work & living().keys() or is_shared_memory(memory):
        assert time.monotonic() < deadline, at_work
        time.sleep(0.05)
