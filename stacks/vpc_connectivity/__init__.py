from stacks.vpc_connectivity.stack import VpcConnectivityStack

__all__ = ["VpcConnectivityStack"]
