from stacks.ecs_fargate.stack import EcsFargateStack

__all__ = ["EcsFargateStack"]
