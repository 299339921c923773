"""A table of the project that foreign keys of every tenant reference."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from support.backup import Backup
from support.fleet import Fleet
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
def orders(fleet: Fleet) -> Iterator[str]:
    fleet.sql.execute(PRODUCTS)
    table = fleet.table()
    try:
        yield table
    finally:
        fleet.close_tenants()
        fleet.sql.execute("select tenancy.unshare_table('public.products')")
        fleet.sql.execute("drop table public.products")


def test_only_a_table_of_the_project_is_shared_and_named_in_the_refusal(
    fleet: Fleet, orders: str
) -> None:
    with pytest.raises(
        psycopg.Error, match=r"select tenancy\.share_table\('public\.products'\)"
    ):
        fleet.register(ORDERS.replace("{0}", orders))
    tenant = fleet.tenant()
    for table in ("auth.users", "public.tenants", "tenancy.audit_seals", f"{tenant}.settings"):
        with pytest.raises(psycopg.Error, match="cannot be shared"):
            fleet.sql.execute("select tenancy.share_table(%s)", (table,))
    fleet.sql.execute("select tenancy.share_table('public.products')")
    with pytest.raises(psycopg.Error, match=rf"create index on {orders} \(product_id\)"):
        fleet.register(ORDERS.replace("{0}", orders).replace("create index", "-- "))
    with pytest.raises(
        psycopg.Error, match=r"outside the tenant.s schema: table public\.products"
    ):
        fleet.register("alter table public.products add column planted int")

    fleet.register(ORDERS.replace("{0}", orders))


def test_tenants_use_a_shared_table(fleet: Fleet, orders: str, tmp_path: Path) -> None:
    behind = fleet.tenant()
    fleet.sql.execute("select tenancy.share_table('public.products')")
    fleet.register(ORDERS.replace("{0}", orders))
    assert fleet.migrate(behind)["outcome"] == "migrated"
    tenant = fleet.tenant()
    writer = fleet.member(tenant, "write")
    fleet.wait_until_served(tenant, orders, "id")

    # Embedding needs the view: PostgREST embeds within one schema.
    for key in (1, 2):
        row = {"id": key, "product_id": key}
        assert fleet.rows(writer, tenant, orders, "POST", json=row).status_code == 201
    missing = fleet.rows(writer, tenant, orders, "POST", json={"id": 9, "product_id": 9})
    assert missing.status_code == 409
    embedded = fleet.rows(
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
            assert fleet.rows(writer, schema, relation, method, **asked).status_code == 403
    assert fleet.rows(fleet.nobody, "public", "products").status_code == 401
    [key] = fleet.rpc(
        fleet.service, "get_table_foreign_keys", schema_name=tenant, table_name=orders
    ).json()
    assert (key["foreign_table"], key["foreign_columns"]) == ("public.products", ["id"])

    # Drift and doctor are satisfied, and nothing depends on the tenant from outside.
    assert fleet.drift(tenant) == fleet.drift(behind) == []
    assert fleet.sql.execute("select * from tenancy.platform_findings()").fetchall() == []
    backup = Backup(tenant, tmp_path)
    backup.take(fleet.address.db_url)
    fleet.suspend(tenant)
    assert fleet.rows(writer, tenant, orders).status_code == 403
    fleet.sql.execute("select public.delete_tenant_schema(%s)", (tenant,))
    restored = backup.restore(fleet.address.db_url)
    assert (restored.returncode, restored.stderr) == (0, "")
    fleet.activate(tenant)
    fleet.wait_until_served(tenant, orders, "id")
    assert len(fleet.rows(writer, tenant, orders).json()) == 2
    assert fleet.drift(tenant) == []

    # The owner deletes what no tenant uses.
    fleet.sql.execute("delete from public.products where id = 3")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        fleet.sql.execute("delete from public.products where id = 1")
    with pytest.raises(psycopg.Error, match="still referenced by 3 foreign keys"):
        fleet.sql.execute("select tenancy.unshare_table('public.products')")


def test_tenant_that_waits_for_a_shared_table_stops_nobody(fleet: Fleet, orders: str) -> None:
    fleet.sql.execute("select tenancy.share_table('public.products')")
    fleet.register(ORDERS.replace("{0}", orders))
    tenant, doomed, name = fleet.tenant(), fleet.tenant(), fleet.name()
    reader = fleet.member(tenant, "read")
    fleet.suspend(doomed)
    with psycopg.connect(fleet.address.db_url) as writer, ThreadPoolExecutor() as pool:
        # A long transaction of the project that writes products.
        writer.execute("update public.products set name = name")
        calls = [
            pool.submit(fleet.rpc, fleet.service, operation, schema_name=schema)
            for operation, schema in (
                ("create_tenant_schema", name),
                ("delete_tenant_schema", doomed),
            )
        ]
        reads = 0
        while not all(call.done() for call in calls):
            assert fleet.rows(reader, "public", "products").status_code == 200
            reads += 1
        assert reads > 3
        assert [refusal(call.result()) for call in calls] == [(429, "busy")] * 2
    # Everything is as before, and works when the writer has ended.
    fleet.rpc(fleet.service, "create_tenant_schema", schema_name=name).raise_for_status()
    fleet.sql.execute("select public.delete_tenant_schema(%s)", (doomed,))
