from stacks.auto_scaling.stack import AutoScalingStack

__all__ = ["AutoScalingStack"]
