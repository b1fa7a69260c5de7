from stacks.eks.stack import EksStack

__all__ = ["EksStack"]
