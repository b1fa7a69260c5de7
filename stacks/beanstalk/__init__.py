from stacks.beanstalk.environment import DeploymentPolicy
from stacks.beanstalk.stack import BeanstalkStack

__all__ = ["BeanstalkStack", "DeploymentPolicy"]
