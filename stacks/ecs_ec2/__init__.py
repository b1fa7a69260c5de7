from stacks.ecs_ec2.stack import EcsEc2Stack

__all__ = ["EcsEc2Stack"]
