"""What can be chosen on the command line, and a clear line for what cannot."""

import dataclasses
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from stacks.profile import PRODUCTION, SANDBOX, Nat, Profile

PROFILES = {"sandbox": SANDBOX, "production": PRODUCTION}
OPTIONS = {
    "profile": "sandbox or production",
    "prefix": "the first part of every CloudFormation stack name",
    "nat": f"how private subnets reach the internet: {', '.join(Nat)}",
    "cidr": "the VPC's IPv4 range, /16 to /24",
}
# The CLI and the library put their own keys beside ours.
NOT_OURS = re.compile(r".*[@:/].*|cli-telemetry")
# CloudFormation allows 128 characters; the longest blueprint id and its dash take 30.
PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,97}")


class InvalidSettingError(ValueError):
    """A context value nobody can act on. The message says what to do instead."""


@dataclass(frozen=True)
class Settings:
    """The choices of one run.

    Attributes:
        profile: The quantities of the chosen profile, with the overrides of this run.
        prefix: Lets two people share an account: stacks are named ``<prefix>-<blueprint>``.
    """

    profile: Profile
    prefix: str

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> "Settings":
        """Read ``-c key=value`` and the defaults of cdk.json.

        Args:
            context: Everything the app was given; feature flags and look-ups
                are left alone.

        Raises:
            InvalidSettingError: For a key or a value that is not one of ours.
        """
        ours = {key: value for key, value in context.items() if not NOT_OURS.fullmatch(key)}
        for key in ours:
            if key not in OPTIONS:
                raise InvalidSettingError(
                    f"unknown context key '{key}'{_nearest(key, OPTIONS)}; known are "
                    + ", ".join(f"{name} ({meaning})" for name, meaning in OPTIONS.items())
                )

        name = _choice("profile", ours.get("profile", "sandbox"), PROFILES)
        profile = PROFILES[name]
        if "nat" in ours:
            nat = Nat(_choice("nat", ours["nat"], list(Nat)))
            profile = dataclasses.replace(profile, nat=nat)
        if "cidr" in ours:
            profile = dataclasses.replace(profile, cidr=_ipv4_range(ours["cidr"]))
        return cls(profile=profile, prefix=_prefix(ours.get("prefix", "blueprints")))


def _choice(key: str, given: Any, valid: Mapping[str, Any] | list[Any]) -> str:
    if str(given) not in valid:
        raise InvalidSettingError(
            f"unknown {key} '{given}'{_nearest(str(given), valid)}; choose {' or '.join(valid)}"
        )
    return str(given)


def _nearest(given: str, valid: Mapping[str, Any] | list[Any]) -> str:
    near = get_close_matches(given, [str(name) for name in valid], n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""


def _prefix(given: Any) -> str:
    if not PREFIX.fullmatch(str(given)):
        raise InvalidSettingError(
            f"prefix '{given}' cannot begin a CloudFormation stack name; give it 1 to 98 letters, "
            "digits and dashes, a letter first"
        )
    return str(given)


def _ipv4_range(given: Any) -> str:
    try:
        network = ipaddress.IPv4Network(given)
    except ValueError as error:
        raise InvalidSettingError(
            f"cidr '{given}' is not an IPv4 range ({error}); give one like 10.0.0.0/16"
        ) from None
    if network.is_loopback or network.is_link_local or network.is_multicast:
        raise InvalidSettingError(
            f"cidr '{given}' is one that EC2 keeps from VPCs; give one like 10.0.0.0/16"
        )
    if not 16 <= network.prefixlen <= 24:
        raise InvalidSettingError(
            f"cidr '{given}' has the wrong size for a VPC of six subnets; give /16 to /24"
        )
    return str(network)
