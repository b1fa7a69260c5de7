from stacks.vpc.stack import VpcStack

__all__ = ["VpcStack"]
