from stacks.ec2.stack import BakedImage, Ec2Stack

__all__ = ["BakedImage", "Ec2Stack"]
