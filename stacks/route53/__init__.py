from stacks.route53.stack import Route53Stack

__all__ = ["Route53Stack"]
