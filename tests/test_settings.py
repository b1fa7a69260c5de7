"""What a user may choose, and the line they read when the choice is none."""

from typing import Any

import pytest

from settings import InvalidSettingError, Settings
from stacks.profile import PRODUCTION, SANDBOX, Nat
from tests.assembly import CONTEXT


def test_the_defaults_of_cdk_json_are_the_sandbox() -> None:
    assert Settings.from_context(CONTEXT) == Settings(profile=SANDBOX, prefix="blueprints")


def test_a_profile_can_be_chosen_and_parts_of_it_replaced() -> None:
    settings = Settings.from_context(
        {"profile": "production", "nat": "instance", "cidr": "172.16.0.0/20", "prefix": "ada"}
    )

    assert settings.prefix == "ada"
    assert settings.profile.nat is Nat.INSTANCE
    assert settings.profile.cidr == "172.16.0.0/20"
    assert settings.profile.removal_policy is PRODUCTION.removal_policy


@pytest.mark.parametrize(
    ("context", "message"),
    [
        (
            {"profil": "sandbox"},
            r"unknown context key 'profil' \(did you mean 'profile'\?\); known",
        ),
        ({"profile": "prod"}, r"unknown profile 'prod'.*; choose sandbox or production$"),
        ({"profile": "sandboxx"}, r"unknown profile 'sandboxx' \(did you mean 'sandbox'\?\)"),
        ({"profile": ["sandbox"]}, r"unknown profile '\['sandbox'\]'"),
        ({"nat": "gatway"}, r"unknown nat 'gatway' \(did you mean 'gateway'\?\)"),
        ({"prefix": "7days"}, r"prefix '7days' cannot begin a CloudFormation stack name"),
        ({"prefix": "my_team"}, r"prefix 'my_team' cannot begin"),
        ({"prefix": ""}, r"prefix '' cannot begin"),
        ({"prefix": "a" * 99}, r"prefix 'a{99}' cannot begin"),
        ({"cidr": "10.0.0.0"}, r"cidr '10.0.0.0' has the wrong size"),
        ({"cidr": "10.0.0.0/8"}, r"cidr '10.0.0.0/8' has the wrong size .* give /16 to /24"),
        ({"cidr": "10.0.0.1/16"}, r"cidr '10.0.0.1/16' is not an IPv4 range .*host bits"),
        ({"cidr": "fd00::/56"}, r"cidr 'fd00::/56' is not an IPv4 range"),
        ({"cidr": "127.0.0.0/16"}, r"cidr '127.0.0.0/16' is one that EC2 keeps from VPCs"),
        ({"cidr": "169.254.0.0/16"}, r"is one that EC2 keeps from VPCs"),
        ({"cidr": "224.0.0.0/16"}, r"is one that EC2 keeps from VPCs"),
        ({"cidr": "ten"}, r"cidr 'ten' is not an IPv4 range"),
    ],
)
def test_what_cannot_be_chosen_gets_one_line(context: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSettingError, match=message) as error:
        Settings.from_context(context)

    assert "\n" not in str(error.value)


def test_keys_of_the_cli_and_the_library_are_left_alone() -> None:
    Settings.from_context({"aws:cdk:bundling-stacks": ["**"], "@aws-cdk/core:newFlag": True})
