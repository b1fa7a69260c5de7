"""Reusable (L3) constructs, one module per aws-cdk-lib module and named like it."""
