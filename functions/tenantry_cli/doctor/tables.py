"""Tables of the template that a tenant has lost."""

from __future__ import annotations

from collections.abc import Iterator

from tenantry_cli.doctor.problem import Connection, Problem

_MISSING = """
select t.schema_name as schema, o.object_name as name
from public.tenants t
join tenancy.tenant_template_objects o
    on o.version = t.schema_version and o.object_kind = 'table'
where to_regnamespace(quote_ident(t.schema_name)) is not null
    and to_regclass(format('%I.%I', t.schema_name, o.object_name)) is null
order by 1, 2
"""


def examine_tables(connection: Connection) -> Iterator[Problem]:
    for row in connection.execute(_MISSING):
        schema, name = row["schema"], row["name"]
        yield Problem(
            "table missing",
            f"{schema}.{name}",
            f"Tenant {schema} has no table {name}, but its version of the template has one.",
            "Restore the tenant from a backup, because the rows of the table are lost; or "
            "create the table as the reference schema tenant_template has it.",
        )
