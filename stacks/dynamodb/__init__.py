from stacks.dynamodb.stack import DynamodbStack

__all__ = ["DynamodbStack"]
