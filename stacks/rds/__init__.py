from stacks.rds.engine import Engine
from stacks.rds.stack import RdsStack

__all__ = ["Engine", "RdsStack"]
