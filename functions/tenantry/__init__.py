"""The HTTPS functions: one module per group of operations, and what the groups share."""

__version__ = "0.1.0"
