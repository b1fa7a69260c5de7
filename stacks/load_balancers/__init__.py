from stacks.load_balancers.stack import LoadBalancersStack

__all__ = ["LoadBalancersStack"]
