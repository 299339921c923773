"""django-tenants' own registry; it insists on domains."""

from django_tenants.models import DomainMixin, TenantMixin


class Tenant(TenantMixin):
    """A tenant, whose schema is made when it is saved."""


class Domain(DomainMixin):
    """A host name of a tenant."""
