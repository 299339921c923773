"""django-tenants, the best-known peer, creating a tenant with the same three tables."""

from tests.bench.peer.measurement import measure

__all__ = ["measure"]
