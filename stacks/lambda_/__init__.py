from stacks.lambda_.stack import LambdaStack

__all__ = ["LambdaStack"]
