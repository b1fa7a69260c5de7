from stacks.cloudfront.stack import CloudfrontStack

__all__ = ["CloudfrontStack"]
