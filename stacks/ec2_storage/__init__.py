from stacks.ec2_storage.stack import Ec2StorageStack

__all__ = ["Ec2StorageStack"]
