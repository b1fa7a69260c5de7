"""ElastiCache's caches, each a real Valkey server behind an endpoint like ElastiCache's.

MiniStack keeps the records and would start containers; here it starts processes instead, on the
loopback. A cache has one shard, and one server however many replicas it has. What the records say
of its parameters and users is read whenever a client connects.
"""

import secrets
import threading
from typing import Any

from rehearsal.extension import iam_tokens, loopback, ministack
from rehearsal.extension.cache_endpoint import CacheEndpoint, Exchange
from rehearsal.extension.certificates import LOOPBACK
from rehearsal.extension.completions import Completion, Properties
from rehearsal.extension.resource_type import Request
from rehearsal.extension.valkey_server import ValkeyServer

# On AWS it is a minute or two.
REBOOT_S = 1.0

_Key = tuple[str, str, str]


class _Cache:
    """A cache that can be connected to."""

    def __init__(self, name: str, tls: bool, token: str | None) -> None:
        self._name, self._token = name, token
        self._account, self._region = ministack.account(), ministack.region()
        # Clients of caches are not patient enough to wait until it is made.
        self._client = loopback.client("elasticache")
        # What the engine takes from a user whose token is good.
        self._password = secrets.token_hex()
        self._server = ValkeyServer()
        self._endpoint = CacheEndpoint(self._server.port, tls=tls, welcome=self._welcome)
        self.port = self._endpoint.port
        self._coming_back = threading.Timer(REBOOT_S, self._server.start)

    def stop(self) -> None:
        self._coming_back.cancel()
        self._endpoint.close()
        self._server.stop()

    def reboot(self) -> None:
        self._coming_back.cancel()
        self._server.stop()
        self._coming_back = threading.Timer(REBOOT_S, self._server.start)
        self._coming_back.start()

    def _welcome(self) -> Exchange:
        """Make the engine what the records say, and tell who logs in by IAM."""
        cluster, groups = self._records()
        parameters = self._client.describe_cache_parameters(
            CacheParameterGroupName=cluster["CacheParameterGroup"]["CacheParameterGroupName"]
        )["Parameters"]
        self._server.configure(
            {each["ParameterName"]: each["ParameterValue"] for each in parameters}
        )
        users = [user for group in groups for user in self._users_of(group)]
        self._server.admit(
            {user["UserName"]: self._rules(user) for user in users}
            if groups
            else {"default": f"on ~* &* +@all {f'>{self._token}' if self._token else 'nopass'}"}
        )
        by_iam = {user["UserName"] for user in users if _logs_in_by_iam(user)}

        def exchange(user: str, password: str) -> str:
            if user not in by_iam:
                return password
            return self._password if self._is_token(password, user) else ""

        return exchange

    def _records(self) -> tuple[dict[str, Any], list[str]]:
        """The record of a node, and the user groups of the replication group that it is in."""
        found = [
            group
            for group in self._client.describe_replication_groups()["ReplicationGroups"]
            if group["ReplicationGroupId"] == self._name
        ]
        node = found[0]["MemberClusters"][0] if found else self._name
        cluster = self._client.describe_cache_clusters(CacheClusterId=node)["CacheClusters"][0]
        return cluster, found[0].get("UserGroupIds", []) if found else []

    def _users_of(self, group: str) -> list[dict[str, Any]]:
        ids = self._client.describe_user_groups(UserGroupId=group)["UserGroups"][0]["UserIds"]
        users = self._client.describe_users()["Users"]
        return [user for user in users if user["UserId"] in ids]

    def _rules(self, user: dict[str, Any]) -> str:
        """A user's own, and how they log in: with a password nobody can, MiniStack keeps none."""
        logs_in = {"iam": f">{self._password}", "no-password": "nopass"}
        return f"{user['AccessString']} {logs_in.get(user['Authentication']['Type'], '')}"

    def _is_token(self, password: str, user: str) -> bool:
        return iam_tokens.is_valid(
            password,
            service="elasticache",
            resource=self._name,
            user=user,
            account=self._account,
            region=self._region,
        )


class Caches:
    """All caches there are, as MiniStack starts and stops them."""

    def __init__(self) -> None:
        """There is none yet."""
        self._running: dict[_Key, _Cache] = {}

    def start(self, name: str, *, engine: str, tls: bool, token: str | None) -> tuple[str, int]:
        """Start a cache, and tell the host and the port where it answers.

        Args:
            name: Of its replication group, or of its cluster where it is in none.
            engine: Memcached is not here: its host is one that cannot be.
            tls: Whether it encrypts what is on its way.
            token: The password of its only user, if it has one and no user groups.
        """
        if engine == "memcached":
            return "memcached.recorded.invalid", 11211
        if _key(name) in self._running:
            raise ValueError("the rehearsal's caches have one shard")
        cache = self._running[_key(name)] = _Cache(name, tls, token)
        return LOOPBACK, cache.port

    def stop(self, name: str) -> None:
        """Stop a cache; what it held is gone."""
        if cache := self._running.pop(_key(name), None):
            cache.stop()

    def reboot(self, node: str) -> None:
        """Stop the cache of a node, and start it a second later, empty."""
        described = loopback.client("elasticache").describe_cache_clusters(CacheClusterId=node)
        name = described["CacheClusters"][0].get("ReplicationGroupId") or node
        self._running[_key(name)].reboot()


def _key(name: str) -> _Key:
    return ministack.account(), ministack.region(), name


def _logs_in_by_iam(user: dict[str, Any]) -> bool:
    return bool(user["Authentication"]["Type"] == "iam")


def _keep_authentication(user: str, old: Properties, request: Request) -> None:
    """MiniStack forgets how a user logs in, unless by a password of the template."""
    mode = request.properties.get("AuthenticationMode", {})
    if mode.get("Type") == "iam":
        ministack.cache_users()[user]["Authentication"] = {"Type": "iam", "PasswordCount": 0}


def _change_parameter_group(group: str, old: Properties, request: Request) -> None:
    """MiniStack changes the record of the replication group only, which AWS does not tell."""
    name = "CacheParameterGroupName"
    new = request.properties.get(name)
    if new and old and old.get(name) != new:
        client = loopback.client("elasticache")
        [described] = client.describe_replication_groups(ReplicationGroupId=group)[
            "ReplicationGroups"
        ]
        for node in described["MemberClusters"]:
            client.modify_cache_cluster(CacheClusterId=node, CacheParameterGroupName=new)


COMPLETIONS = {
    "AWS::ElastiCache::ReplicationGroup": Completion(_change_parameter_group),
    "AWS::ElastiCache::User": Completion(_keep_authentication),
}
