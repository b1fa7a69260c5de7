from stacks.aurora.stack import AuroraStack

__all__ = ["AuroraStack"]
