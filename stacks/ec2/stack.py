"""EC2: a machine, the two ways to prepare it, and the groups that say who reaches it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from patterns.ec2 import Machine, current_amazon_linux
from patterns.validations import InvalidArgumentError, acknowledge

APP = ec2.Port.tcp(8080)
IMAGE_ID = re.compile(r"ami-[0-9a-f]{8}([0-9a-f]{9})?")


@dataclass(frozen=True)
class BakedImage:
    """An AMI that has the web server already: what is launched from it runs no script.

    Attributes:
        ids: Its id in each region it was copied to, as ``{"eu-west-1": "ami-..."}``: an AMI is of
            one region, and a deployment into any other fails.
        architecture: Of the machine it was made from. An id does not tell.
    """

    ids: Mapping[str, str]
    architecture: ec2.InstanceArchitecture


class Ec2Stack(cdk.Stack):
    """One web server, set up by user data or from a baked AMI, behind groups that name peers.

    A request from the internet passes the security group ``Web``, which lets everybody in on
    port 80, and reaches nginx on a machine in a public subnet. What the machine asks of others
    passes the same group, which lets everything out. ``App`` is for machines behind it: it lets in
    members of ``Web`` and nobody else, and nothing out but answers. The stack has no such machine.

    There is no key pair and no open port for SSH: Systems Manager runs commands and opens shells.

    Without ``image``, the machine starts from the current Amazon Linux 2023 and user data sets it
    up. Which image is current, CloudFormation asks anew with every deployment; a newer one
    replaces the machine, as does a changed script.

    Args:
        vpc: Its public subnets give out addresses, and let HTTPS out, which is where the software
            comes from.
        image: What to start from instead of user data.
        instance_type: t4g.nano unless given; of the architecture of ``image``.

    Raises:
        InvalidArgumentError: If ``instance_type`` is none, ``image`` has an id that is none, or
            the one is not of the architecture of the other.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        image: BakedImage | None = None,
        instance_type: ec2.InstanceType | None = None,
        **kwargs: Any,
    ) -> None:
        instance_type = instance_type or ec2.InstanceType("t4g.nano")
        _refuse_what_cannot_start(instance_type, image)
        super().__init__(scope, construct_id, **kwargs)

        web = ec2.SecurityGroup(
            self,
            "Web",
            vpc=vpc,
            description="Everybody may ask for the page. Says nothing about what leaves: all may.",
        )
        web.add_ingress_rule(ec2.Peer.any_ipv4(), ec2.Port.HTTP, "The page is for everybody")
        acknowledge(
            web,
            "AwsSolutions::AwsSolutions-EC23",
            reason="A public page on port 80 is what it shows; no other port is open.",
        )

        machine = Machine(
            self,
            "Machine",
            vpc=vpc,
            subnet=vpc.public_subnets[0],
            security_group=web,
            instance_type=instance_type,
            machine_image=(
                ec2.MachineImage.generic_linux(dict(image.ids))
                if image
                else current_amazon_linux(instance_type)
            ),
            user_data=_set_up(),
            # A script that has changed runs on a new machine only.
            user_data_causes_replacement=image is None,
        )
        if image:
            machine.instance.user_data = None

        app = ec2.SecurityGroup(
            self,
            "App",
            vpc=vpc,
            description="Members of Web may ask, nobody else; only answers leave.",
            allow_all_outbound=False,
        )
        app.add_ingress_rule(web, APP, "From the web server, whatever its address")

        cdk.CfnOutput(self, "Url", value=f"http://{machine.instance_public_ip}/")
        cdk.CfnOutput(self, "InstanceId", value=machine.instance_id)
        cdk.CfnOutput(
            self, "LaunchTemplateId", value=str(machine.launch_template.launch_template_id)
        )
        cdk.CfnOutput(self, "WebGroupId", value=web.security_group_id)
        cdk.CfnOutput(self, "AppGroupId", value=app.security_group_id)


def _set_up() -> ec2.UserData:
    """Runs as root, at the first boot only; cloud-init logs it."""
    script = ec2.UserData.for_linux()
    script.add_commands(
        "set -o errexit",
        "dnf install --assumeyes nginx",
        'echo "Set up at $(date --iso-8601=seconds)" > /usr/share/nginx/html/index.html',
        "systemctl enable --now nginx",
    )
    return script


def _refuse_what_cannot_start(instance_type: ec2.InstanceType, image: BakedImage | None) -> None:
    try:
        wanted = instance_type.architecture
    except RuntimeError:
        raise InvalidArgumentError(
            f"instance_type '{instance_type.to_string()}' is none; give one like t4g.nano"
        ) from None
    if not image:
        return
    for region, identifier in image.ids.items():
        if not IMAGE_ID.fullmatch(identifier):
            raise InvalidArgumentError(
                f"image '{identifier}' of {region} is no AMI; give an id like ami-0123456789abcdef0"
            )
    baked = image.architecture
    if baked != wanted:
        raise InvalidArgumentError(
            f"image {', '.join(image.ids.values())} is for {baked.value}, but "
            f"{instance_type.to_string()} is {wanted.value}: bake one on such a machine, or choose "
            f"an instance_type of {baked.value}"
        )
