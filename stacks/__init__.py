"""Blueprints: one folder per area of AWS, each with a stack that deploys on its own."""
