"""Commands on EC2's machines, for exercises on AWS. No machine of the rehearsal runs any."""

from typing import Any

from rehearsal.fixtures import Eventually


def run_command(ssm: Any, eventually: Eventually, instance: str, command: str) -> str:
    """Run a shell command as root on a machine, and get what it printed.

    Args:
        ssm: Systems Manager's client.
        eventually: The fixture: a new machine takes a minute or two to report.
        instance: The machine's id. Its role lets it speak to Systems Manager.
        command: At most three minutes of work; one that fails has printed what it has.
    """

    def reports() -> Any:
        return ssm.describe_instance_information(
            Filters=[{"Key": "InstanceIds", "Values": [instance]}]
        )["InstanceInformationList"]

    def end() -> Any:
        try:
            told = ssm.get_command_invocation(CommandId=sent, InstanceId=instance)
        except ssm.exceptions.InvocationDoesNotExist:
            return None
        return told if told["Status"] not in ("Pending", "InProgress", "Delayed") else None

    eventually(reports, within=300)
    sent = ssm.send_command(
        InstanceIds=[instance],
        DocumentName="AWS-RunShellScript",
        Parameters={"commands": [command]},
    )["Command"]["CommandId"]
    return str(eventually(end, within=180)["StandardOutputContent"]).strip()
