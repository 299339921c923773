"""The registry of django-tenants, which requires a model of domains."""

from django_tenants.models import DomainMixin, TenantMixin


class Tenant(TenantMixin):
    """A tenant. Saving it creates its schema."""


class Domain(DomainMixin):
    """A host name of a tenant."""
