"""Reusable (L3) constructs, one module per aws-cdk-lib module; validations is of its core."""
