"""Machines that nobody logs on to."""

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from patterns.validations import acknowledge


class Machine(ec2.Instance):
    """A small Linux machine in a public subnet, without a key pair and without a port for SSH.

    Systems Manager runs commands on it and opens shells. Its metadata answers only who has asked
    for a token, its disk is encrypted and goes with it, and beyond its share of the processor it
    slows down instead of costing more.

    Args:
        vpc: Its public subnets give out addresses, and let HTTPS out.
        subnet: One of them.
        security_group: Who reaches it, and what it reaches.
        instance_type: Of the architecture of ``machine_image``.
        machine_image: Which one is the current one of a public parameter, CloudFormation asks anew
            with every deployment; a newer one replaces the machine.
        user_data: Runs as root at the first boot, and never again. At most 16 KB:
            https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/user-data.html
        user_data_causes_replacement: Whether a changed script makes a new machine, to run there.
    """

    launch_template: ec2.LaunchTemplate

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        subnet: ec2.ISubnet,
        security_group: ec2.ISecurityGroup,
        instance_type: ec2.InstanceType,
        machine_image: ec2.IMachineImage,
        user_data: ec2.UserData,
        user_data_causes_replacement: bool = False,
    ) -> None:
        root = ec2.BlockDeviceVolume.ebs(
            8,
            volume_type=ec2.EbsDeviceVolumeType.GP3,
            encrypted=True,
            delete_on_termination=True,
        )
        super().__init__(
            scope,
            construct_id,
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnets=[subnet]),
            security_group=security_group,
            instance_type=instance_type,
            machine_image=machine_image,
            user_data=user_data,
            user_data_causes_replacement=user_data_causes_replacement,
            credit_specification=ec2.CpuCredits.STANDARD,
            block_devices=[ec2.BlockDevice(device_name="/dev/xvda", volume=root)],
            ssm_session_permissions=True,
        )
        self.launch_template = ec2.LaunchTemplate(
            self,
            "Hardening",
            http_tokens=ec2.LaunchTemplateHttpTokens.REQUIRED,
            # A container on the machine, one hop further away, gets no answer.
            http_put_response_hop_limit=1,
        )
        # The L2 takes none. What it says holds unless the instance says otherwise.
        self.instance.launch_template = ec2.CfnInstance.LaunchTemplateSpecificationProperty(
            launch_template_id=self.launch_template.launch_template_id,
            version=self.launch_template.latest_version_number,
        )
        acknowledge_systems_manager(self.role)
        acknowledge(
            self,
            "AwsSolutions::AwsSolutions-EC28",
            reason="Metrics every minute cost more than half of what the machine does.",
        )
        acknowledge(
            self,
            "AwsSolutions::AwsSolutions-EC29",
            reason="It has no state of its own and may go with its stack.",
        )


def current_amazon_linux(instance_type: ec2.InstanceType) -> ec2.IMachineImage:
    """The current Amazon Linux 2023 for machines of a type."""
    arm = instance_type.architecture == ec2.InstanceArchitecture.ARM_64
    cpu_type = ec2.AmazonLinuxCpuType.ARM_64 if arm else ec2.AmazonLinuxCpuType.X86_64
    return ec2.MachineImage.latest_amazon_linux2023(cpu_type=cpu_type)


def acknowledge_systems_manager(role: iam.IRole) -> None:
    """Why ``role`` has AWS's policy for machines that Systems Manager runs commands on."""
    acknowledge(
        role,
        "AwsSolutions::AwsSolutions-IAM4"
        "[Policy::arn:<AWS::Partition>:iam::aws:policy/AmazonSSMManagedInstanceCore]",
        reason="What AWS's agent needs, which changes with the agent: AWS keeps it up to date.",
    )
