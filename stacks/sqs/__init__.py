from stacks.sqs.stack import SqsStack

__all__ = ["SqsStack"]
