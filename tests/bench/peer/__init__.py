"""django-tenants, a well-known alternative: it creates a tenant with the same three tables."""

from .measurement import measure

__all__ = ["measure"]
