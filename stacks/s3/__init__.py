from stacks.s3.stack import S3Stack

__all__ = ["S3Stack"]
