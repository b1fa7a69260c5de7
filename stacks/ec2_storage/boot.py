"""What the machines do at their first boot."""

from aws_cdk import aws_ec2 as ec2


def serve_media(file_system_id: str, access_point_id: str) -> ec2.UserData:
    """Mount the file system by its access point, and serve and take files under ``/media/``.

    nginx listens to the machine itself only: who wants to show it to the world puts it behind a
    load balancer.
    """
    script = ec2.UserData.for_linux()
    options = f"_netdev,tls,iam,accesspoint={access_point_id}"
    script.add_commands(
        "set -o errexit",
        "dnf install --assumeyes amazon-efs-utils nginx",
        "mkdir --parents /srv/media",
        f'echo "{file_system_id}:/ /srv/media efs {options} 0 0" >> /etc/fstab',
        # The name of a new mount target takes a minute or two to be known.
        "until mount /srv/media; do sleep 5; done",
        "cat > /etc/nginx/conf.d/media.conf <<'END'",
        "server {",
        "  listen 127.0.0.1:8080;",
        "  root /srv;",
        "  location /media/ { dav_methods PUT; client_max_body_size 10m; }",
        "}",
        "END",
        "systemctl enable --now nginx",
    )
    return script


def scratch_on_local_disk() -> ec2.UserData:
    """Mount the disk of the host at ``/scratch``, at every boot: after a stop it is another one."""
    script = ec2.UserData.for_linux()
    program = "/var/lib/cloud/scripts/per-boot/scratch"
    script.add_commands(
        "set -o errexit",
        f"cat > {program} <<'END'",
        "#!/bin/bash",
        "disk=$(ls /dev/disk/by-id/nvme-Amazon_EC2_NVMe_Instance_Storage_* | head --lines 1)",
        "blkid $disk || mkfs --type xfs $disk",
        "mkdir --parents /scratch && mount $disk /scratch",
        "END",
        f"chmod +x {program} && {program}",
    )
    return script
