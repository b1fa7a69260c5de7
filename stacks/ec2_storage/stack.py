"""Where a machine keeps its data: EBS, instance store and EFS."""

import re
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_efs as efs
from aws_cdk import aws_iam as iam
from constructs import Construct

from patterns.ec2 import Machine, current_amazon_linux
from patterns.validations import InvalidArgumentError
from stacks.ec2_storage.boot import scratch_on_local_disk, serve_media

SMALL = ec2.InstanceType("t4g.nano")
SHAREABLE = {ec2.EbsDeviceVolumeType.IO1, ec2.EbsDeviceVolumeType.IO2}
# "d" after the generation, or a family for storage:
# https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
WITH_LOCAL_DISK = re.compile(r"([a-z]+\d+[a-z]*d[a-z]*|(d|h|i|im|is)\d+[a-z]*)\..+")


class Ec2StorageStack(cdk.Stack):
    """EBS, instance store and EFS side by side: what each disk survives, and who can share it.

    Two web servers in two zones mount one EFS file system by the access point ``/media`` and serve
    what is in it. One of them has a data volume of its own, an EBS volume in its zone. The launch
    templates ``ShortLived`` and ``LocalDisk`` start nothing here: a machine that its data disk
    outlives, and one with a disk of its host, are launched by whoever tries them, and cost nothing
    until then. An instance of this stack with such a data disk would leave that behind.

    A newer Amazon Linux replaces the machines. CloudFormation cannot move the data volume from the
    old one to the new one, and takes the update back; the page says what to do.

    Args:
        vpc: With public and isolated subnets in two zones.
        removal_policy: Of the file system and of the volumes.
        backups: Whether AWS Backup copies the file system every day and keeps that for 35 days.
        multi_attach: Adds a volume of this type that up to 16 machines of a zone can attach at
            once; io1 and io2 can. It bills by the hour.
        local_disk: The type of machine that ``LocalDisk`` launches: one with an instance store.

    Raises:
        InvalidArgumentError: For a ``multi_attach`` or a ``local_disk`` that cannot do it, or a
            ``vpc`` in one zone.
    """

    file_system: efs.FileSystem
    """One mount target in each zone of ``vpc``. Who mounts it needs a way to its port, as of
    ``connections.allow_to(file_system, ec2.Port.NFS)``, TLS, and a role with a grant."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        removal_policy: cdk.RemovalPolicy,
        backups: bool,
        multi_attach: ec2.EbsDeviceVolumeType | None = None,
        local_disk: ec2.InstanceType | None = None,
        **kwargs: Any,
    ) -> None:
        local_disk = local_disk or ec2.InstanceType("c6gd.medium")
        _refuse_what_cannot_work(vpc, multi_attach, local_disk)
        super().__init__(scope, construct_id, **kwargs)

        machines = ec2.SecurityGroup(
            self, "Machines", vpc=vpc, description="Nobody reaches them; they reach everybody."
        )
        self.file_system = self._file_system(vpc, removal_policy, backups)
        self.file_system.connections.allow_default_port_from(machines, "The machines that mount it")
        media = self.file_system.add_access_point(
            "Media",
            path="/media",
            # Whoever comes this way acts as this user, and owns what the first one finds missing.
            posix_user=efs.PosixUser(uid="1000", gid="1000"),
            create_acl=efs.Acl(owner_uid="1000", owner_gid="1000", permissions="755"),
        )

        script = serve_media(self.file_system.file_system_id, media.access_point_id)
        servers = [
            self._server(f"Web{letter}", vpc, subnet, machines, script, media)
            for letter, subnet in zip("AB", vpc.public_subnets, strict=False)
        ]

        data = self._volume(
            "Data",
            servers[0],
            removal_policy,
            device="/dev/sdf",
            volume_type=ec2.EbsDeviceVolumeType.GP3,
            # The least that the CDK lets have so many operations per second.
            size=cdk.Size.gibibytes(6),
            # What every gp3 volume has for nothing; more of either bills by the hour.
            iops=3000,
            throughput=125,
        )
        if multi_attach:
            shared = self._volume(
                "Shared",
                servers[0],
                removal_policy,
                device="/dev/sdg",
                volume_type=multi_attach,
                size=cdk.Size.gibibytes(4),
                iops=100,
                enable_multi_attach=True,
            )
            cdk.CfnOutput(self, "SharedId", value=shared.volume_id)
        short_lived = self._launch_template(
            "ShortLived",
            machines,
            servers[0].role,
            SMALL,
            disks={
                "/dev/xvda": _disk(8, delete_on_termination=True),
                "/dev/sdf": _disk(1, delete_on_termination=False),
            },
        )
        with_local_disk = self._launch_template(
            "LocalDisk",
            machines,
            servers[0].role,
            local_disk,
            # The disk of the host is there by itself: a mapping could not add it.
            disks={"/dev/xvda": _disk(8, delete_on_termination=True)},
            user_data=scratch_on_local_disk(),
        )

        cdk.CfnOutput(self, "FileSystemId", value=self.file_system.file_system_id)
        for server in servers:
            cdk.CfnOutput(self, f"{server.node.id}Id", value=server.instance_id)
        cdk.CfnOutput(self, "DataId", value=data.volume_id)
        cdk.CfnOutput(self, "ShortLivedId", value=str(short_lived.launch_template_id))
        cdk.CfnOutput(self, "LocalDiskId", value=str(with_local_disk.launch_template_id))

    def _file_system(
        self, vpc: ec2.IVpc, removal_policy: cdk.RemovalPolicy, backups: bool
    ) -> efs.FileSystem:
        return efs.FileSystem(
            self,
            "FileSystem",
            vpc=vpc,
            # One mount target in each zone.
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            security_group=ec2.SecurityGroup(
                self,
                "MountTargets",
                vpc=vpc,
                description="Groups that are named may speak NFS.",
                allow_all_outbound=False,
            ),
            encrypted=True,
            enable_automatic_backups=backups,
            removal_policy=removal_policy,
            # A policy without Allow leaves out whoever is not allowed by one of IAM; otherwise the
            # CDK would add one for everybody who reaches a mount target:
            # https://docs.aws.amazon.com/efs/latest/ug/iam-access-control-nfs-efs.html
            allow_anonymous_access=True,
            file_system_policy=iam.PolicyDocument(
                statements=[
                    iam.PolicyStatement(
                        effect=iam.Effect.DENY,
                        principals=[iam.AnyPrincipal()],
                        actions=["*"],
                        conditions={"Bool": {"aws:SecureTransport": "false"}},
                    )
                ]
            ),
        )

    def _server(
        self,
        construct_id: str,
        vpc: ec2.IVpc,
        subnet: ec2.ISubnet,
        group: ec2.ISecurityGroup,
        script: ec2.UserData,
        media: efs.AccessPoint,
    ) -> Machine:
        server = Machine(
            self,
            construct_id,
            vpc=vpc,
            subnet=subnet,
            security_group=group,
            instance_type=SMALL,
            machine_image=current_amazon_linux(SMALL),
            user_data=script,
        )
        server.node.add_dependency(self.file_system.mount_targets_available)
        server.add_to_role_policy(
            iam.PolicyStatement(
                actions=["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
                resources=[self.file_system.file_system_arn],
                conditions={
                    "StringEquals": {"elasticfilesystem:AccessPointArn": media.access_point_arn}
                },
            )
        )
        return server

    def _volume(
        self,
        construct_id: str,
        server: Machine,
        removal_policy: cdk.RemovalPolicy,
        device: str,
        **properties: Any,
    ) -> ec2.Volume:
        volume = ec2.Volume(
            self,
            construct_id,
            # It attaches in its own zone only.
            availability_zone=server.instance_availability_zone,
            encrypted=True,
            removal_policy=removal_policy,
            **properties,
        )
        ec2.CfnVolumeAttachment(
            self,
            f"{construct_id}Attachment",
            volume_id=volume.volume_id,
            instance_id=server.instance_id,
            device=device,
        )
        return volume

    def _launch_template(
        self,
        construct_id: str,
        group: ec2.ISecurityGroup,
        role: iam.IRole,
        instance_type: ec2.InstanceType,
        disks: dict[str, ec2.BlockDeviceVolume],
        user_data: ec2.UserData | None = None,
    ) -> ec2.LaunchTemplate:
        return ec2.LaunchTemplate(
            self,
            construct_id,
            security_group=group,
            role=role,
            instance_type=instance_type,
            machine_image=current_amazon_linux(instance_type),
            block_devices=[
                ec2.BlockDevice(device_name=name, volume=disk) for name, disk in disks.items()
            ],
            user_data=user_data,
            http_tokens=ec2.LaunchTemplateHttpTokens.REQUIRED,
        )


def _disk(gibibytes: int, *, delete_on_termination: bool) -> ec2.BlockDeviceVolume:
    return ec2.BlockDeviceVolume.ebs(
        gibibytes,
        volume_type=ec2.EbsDeviceVolumeType.GP3,
        encrypted=True,
        delete_on_termination=delete_on_termination,
    )


def _refuse_what_cannot_work(
    vpc: ec2.IVpc,
    multi_attach: ec2.EbsDeviceVolumeType | None,
    local_disk: ec2.InstanceType,
) -> None:
    if len(vpc.public_subnets) < 2:
        raise InvalidArgumentError(
            "vpc has no public subnets in two zones, one for each web server; give one that has"
        )
    if multi_attach and multi_attach not in SHAREABLE:
        raise InvalidArgumentError(
            f"multi_attach is '{multi_attach.value.lower()}', of which only one machine can attach "
            "a volume; choose io2 or io1"
        )
    if not WITH_LOCAL_DISK.fullmatch(local_disk.to_string()):
        raise InvalidArgumentError(
            f"local_disk '{local_disk.to_string()}' names no disk of its host; "
            "choose a type like c6gd.medium"
        )
