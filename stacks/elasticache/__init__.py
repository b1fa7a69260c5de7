from stacks.elasticache.stack import ElasticacheStack

__all__ = ["ElasticacheStack"]
