"""django-tenants, the best-known peer, creating a tenant with the same three tables."""

from .measurement import measure

__all__ = ["measure"]
