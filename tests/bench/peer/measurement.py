"""Row 3: django-tenants on the same server, in a separate database, alternating with ours."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import django
import psycopg
from django.conf import settings
from django.core.management import call_command

from tenantry_cli.emulator.stack import Stack

from ..databases import Database, new_name
from ..lifecycle import creation
from ..results import Results
from ..rounds import Action, alternating

_DATABASE = "django_tenants"
_BASE = "base_tenant"


def measure(results: Results, stack: Stack, few: Database, rounds: int) -> None:
    with psycopg.connect(stack.admin_db_url, autocommit=True) as connection:
        connection.execute(f"create database {_DATABASE}".encode())
    configure(stack.ports.database, stack.postgres.admin_url())
    call_command("migrate_schemas", shared=True, verbosity=0)
    _create(_BASE)
    # Django also works outside the database session, so only the wall clock is comparable.
    sides = {
        "ours": creation(replace(few, by_processor=False)),
        "migrate": _creation(None),
        "clone": _creation(_BASE),
    }
    series = alternating(sides, rounds=rounds, repeats=2, warm_up=1)
    for how in ("migrate", "clone"):
        results.ratio(
            3,
            f"django-tenants making the same three tables by {how} ÷ create_tenant_schema",
            series[how],
            series["ours"],
            None,
        )
    django.db.connection.close()


def configure(port: int, url: str) -> None:
    password = psycopg.conninfo.conninfo_to_dict(url)
    shared = ["django_tenants", "django.contrib.contenttypes", "tests.bench.peer.registry"]
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django_tenants.postgresql_backend",
                "NAME": _DATABASE,
                "USER": password["user"],
                "PASSWORD": password["password"],
                "HOST": "127.0.0.1",
                "PORT": port,
            }
        },
        DATABASE_ROUTERS=["django_tenants.routers.TenantSyncRouter"],
        SHARED_APPS=shared,
        TENANT_APPS=["tests.bench.peer.product"],
        INSTALLED_APPS=[*shared, "tests.bench.peer.product"],
        TENANT_MODEL="registry.Tenant",
        TENANT_DOMAIN_MODEL="registry.Domain",
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()


def _create(name: str) -> Any:
    from django.apps import apps

    tenant = apps.get_model("registry", "Tenant")(schema_name=name)
    tenant.save(verbosity=0)
    return tenant


def _creation(base: str | None) -> Action:
    def create() -> float:
        # With a base schema, django-tenants copies it instead of running the migrations.
        settings.TENANT_CREATION_FAKES_MIGRATIONS = base is not None
        settings.TENANT_BASE_SCHEMA = base
        begun = time.perf_counter()
        tenant = _create(new_name())
        taken = time.perf_counter() - begun
        tenant.delete(force_drop=True)
        return taken

    return create
