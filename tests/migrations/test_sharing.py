"""A table of the project that foreign keys of every tenant reference."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from support.backup import Backup
from support.entry_points import ENTRY_POINTS
from support.fleet import Fleet, ServedFleet
from support.refusals import refusal

PRODUCTS = """
create table public.products (id int primary key, name text, is_hidden boolean default false);
alter table public.products enable row level security;
create policy read on public.products for select to authenticated using (not is_hidden);
insert into public.products
values (1, 'hammer', false), (2, 'secret', true), (3, 'saw', false);
"""
ORDERS = """
create table {0} (id int primary key, product_id int references public.products);
create index on {0} (product_id);
create view {0}_products with (security_invoker = true) as select * from public.products;
"""


@pytest.fixture
def orders(served: ServedFleet) -> Iterator[str]:
    served.sql.execute(PRODUCTS)
    table = served.table()
    try:
        yield table
    finally:
        served.close_tenants()
        served.sql.execute("delete from tenancy.shared_tables")
        served.sql.execute("drop table if exists public.products")


def test_only_a_table_of_the_project_is_shared_and_named_in_the_refusal(
    served: ServedFleet, orders: str
) -> None:
    with pytest.raises(
        psycopg.Error, match=r"select tenancy\.share_table\('public\.products'\)"
    ):
        served.register(ORDERS.replace("{0}", orders))
    tenant = served.tenant()
    for table in ("auth.users", "public.tenants", "tenancy.audit_seals", f"{tenant}.settings"):
        with pytest.raises(psycopg.Error, match="cannot be shared"):
            served.sql.execute("select tenancy.share_table(%s)", (table,))
    served.sql.execute("select tenancy.share_table('public.products')")
    with pytest.raises(psycopg.Error, match=rf"create index on {orders} \(product_id\)"):
        served.register(ORDERS.replace("{0}", orders).replace("create index", "-- "))
    with pytest.raises(
        psycopg.Error, match=r"outside the tenant.s schema: table public\.products"
    ):
        served.register("alter table public.products add column planted int")

    served.register(ORDERS.replace("{0}", orders))


def test_key_to_a_table_that_cannot_be_shared_gets_other_advice(fleet: Fleet) -> None:
    tenant, table = fleet.tenant(), fleet.table()
    for target, advice in (
        ("auth.users (id)", "plain uuid column, or reference the tenant's own table users"),
        ("public.tenants (id)", "belongs to Tenantry itself. Write a plain column"),
        (f"{tenant}.users (id)", "belongs to a tenant. Write a plain column"),
    ):
        shared = target.split()[0]
        with pytest.raises(psycopg.Error, match="cannot be shared"):
            fleet.sql.execute("select tenancy.share_table(%s)", (shared,))
        with pytest.raises(psycopg.Error) as refused:
            fleet.register(f"create table {table} (id uuid references {target})")
        assert advice in str(refused.value)
        assert "share_table" not in str(refused.value)

    fleet.register(f"create table {table} (id uuid references users)")
    assert fleet.drift(fleet.tenant()) == []


def test_tenants_use_a_shared_table(served: ServedFleet, orders: str, tmp_path: Path) -> None:
    behind = served.tenant()
    served.sql.execute("select tenancy.share_table('public.products')")
    served.register(ORDERS.replace("{0}", orders))
    assert served.migrate(behind)["outcome"] == "migrated"
    tenant = served.tenant()
    writer = served.member(tenant, "write")
    served.wait_until_served(tenant, orders, "id")

    # Embedding needs the view: PostgREST embeds within one schema.
    for key in (1, 2):
        row = {"id": key, "product_id": key}
        assert served.rows(writer, tenant, orders, "POST", json=row).status_code == 201
    missing = served.rows(writer, tenant, orders, "POST", json={"id": 9, "product_id": 9})
    assert missing.status_code == 409
    embedded = served.rows(
        writer,
        tenant,
        orders,
        params={"select": f"id,p:{orders}_products(name)", "order": "id"},
    )
    assert embedded.json() == [{"id": 1, "p": {"name": "hammer"}}, {"id": 2, "p": None}]
    for method in ("POST", "PATCH", "DELETE"):
        body = None if method == "DELETE" else {"name": "forged"}
        for schema, relation in (("public", "products"), (tenant, f"{orders}_products")):
            asked = {"params": {"id": "eq.3"}, "json": body}
            refused = served.rows(writer, schema, relation, method, **asked)
            assert refusal(refused) == (403, "forbidden")
            if schema == "public":
                assert "shares it with the tenants, which only read it" in refused.text
    assert served.rows(served.nobody, "public", "products").status_code == 401
    [key] = served.rpc(
        served.service, "get_table_foreign_keys", schema_name=tenant, table_name=orders
    ).json()
    assert (key["foreign_table"], key["foreign_columns"]) == ("public.products", ["id"])

    # Drift and doctor are satisfied, and nothing depends on the tenant from outside.
    assert served.drift(tenant) == served.drift(behind) == []
    findings = "select * from tenancy.platform_findings()"
    assert served.sql.execute(findings).fetchall() == []
    for name in (tenant, behind):
        findings = "select * from tenancy.tenant_findings(%s)"
        assert served.sql.execute(findings, (name,)).fetchall() == []
    backup = Backup(tenant, tmp_path)
    backup.take(served.address.db_url)
    served.suspend(tenant)
    assert served.rows(writer, tenant, orders).status_code == 403
    served.sql.execute("select public.delete_tenant_schema(%s)", (tenant,))
    restored = backup.restore(served.address.db_url)
    assert (restored.returncode, restored.stderr) == (0, "")
    served.activate(tenant)
    served.wait_until_served(tenant, orders, "id")
    assert len(served.rows(writer, tenant, orders).json()) == 2
    assert served.drift(tenant) == []

    # The owner deletes what no tenant uses.
    served.sql.execute("delete from public.products where id = 3")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        served.sql.execute("delete from public.products where id = 1")
    with pytest.raises(psycopg.Error, match="still referenced by 3 foreign keys"):
        served.sql.execute("select tenancy.unshare_table('public.products')")


def test_tenant_that_waits_for_a_shared_table_stops_nobody(
    served: ServedFleet, orders: str
) -> None:
    served.sql.execute("select tenancy.share_table('public.products')")
    served.register(ORDERS.replace("{0}", orders))
    tenant, doomed, name = served.tenant(), served.tenant(), served.name()
    reader = served.member(tenant, "read")
    served.suspend(doomed)
    with psycopg.connect(served.address.db_url) as writer, ThreadPoolExecutor() as pool:
        # A long transaction of the project that writes products.
        writer.execute("update public.products set name = name")
        calls = [
            pool.submit(served.rpc, served.service, operation, schema_name=schema)
            for operation, schema in (
                ("create_tenant_schema", name),
                ("delete_tenant_schema", doomed),
            )
        ]
        reads = 0
        while not all(call.done() for call in calls):
            assert served.rows(reader, "public", "products").status_code == 200
            reads += 1
        assert reads > 3
        assert [refusal(call.result()) for call in calls] == [(429, "busy")] * 2
    # Everything is as before, and works when the writer has ended.
    served.rpc(served.service, "create_tenant_schema", schema_name=name).raise_for_status()
    served.sql.execute("select public.delete_tenant_schema(%s)", (doomed,))


def test_dropped_shared_table_is_named_with_the_way_back_and_the_way_out(
    served: ServedFleet, orders: str
) -> None:
    share = "select tenancy.share_table('public.products')"
    served.sql.execute(share)
    text = ORDERS.replace("{0}", orders)
    first = served.register(text)
    tenant, behind = served.tenant(), served.tenant()
    served.register(f"create table {served.table()} (id int primary key)")
    assert served.migrate(tenant)["outcome"] == "migrated"
    third = served.register("select 1")
    served.sql.execute("drop table public.products cascade")
    create = {"schema_name": served.name()}

    for entry_point in ENTRY_POINTS:
        refused = served.call(entry_point, served.service, "create_tenant_schema", create)
        assert refusal(refused) == (409, "template_broken")
        message, hint = refused.json()["message"], refused.json()["hint"]
        assert f'"{first}" fails in a new tenant: relation "public.products" does' in message
        assert "replace it with replace_tenant_migration" in hint
    [broken] = [found for found in findings(served) if found["kind"] == "template broken"]
    assert broken["object"] == f"tenant migration {first}"
    assert "Create public.products again, share it, and repair" in broken["remediation"]
    refused = served.rpc(served.service, "withdraw_tenant_migration", version=third)
    assert refusal(refused) == (422, "migration_refused")
    assert f'"{first}", fails now' in refused.json()["message"]

    # The way back.
    served.sql.execute(f"{PRODUCTS} {share}".encode())
    served.sql.execute(served.command("drift", "--sql").stdout.encode())
    for found in findings(served):
        if found["kind"] != "warning: tenants behind":
            served.sql.execute(found["remediation"].encode())
    assert {found["kind"] for found in findings(served)} <= {"warning: tenants behind"}
    assert served.migrate(behind)["outcome"] == "migrated"

    # The way out.
    served.register(
        f"alter table {orders} drop constraint if exists {orders}_product_id_fkey;"
        f"drop view if exists {orders}_products"
    )
    served.roll_out()
    without = text.replace(" references public.products", "").split("create view")[0]
    served.rpc(
        served.service,
        "replace_tenant_migration",
        version=first,
        statements=without,
    ).raise_for_status()
    served.sql.execute("drop table public.products")
    served.rpc(served.service, "create_tenant_schema", **create).raise_for_status()
    assert [served.drift(name) for name in (create["schema_name"], tenant, behind)] == [[]] * 3
    assert [found["kind"] for found in findings(served)] == ["shared table missing"]


def findings(served: ServedFleet) -> list[dict[str, Any]]:
    """What the doctor finds outside the tenants, and in the reference schema."""
    return served.sql.execute(
        "select * from tenancy.platform_findings()"
        " union all select * from tenancy.tenant_findings('tenant_template')"
    ).fetchall()
