"""A project of somebody's own, as `supabase init` begins it, with three migrations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psycopg
from click.testing import CliRunner, Result

from tenantry_cli.main import main

_CONFIG = """
project_id = "shop"

[api]
enabled = true
port = 54321
schemas = ["public", "graphql_public"]
extra_search_path = ["public", "extensions"]
max_rows = 1000

[db]
port = 54322
major_version = 17
"""
# Names of Tenantry's stand where they create nothing: in a comment, a text and a body.
_ORDERS = """
-- create table public.tenants (id uuid);
create table public.orders (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references auth.users (id) on delete cascade,
    note text default 'create table tenants (id uuid);'
);
alter table public.orders enable row level security;
create policy "own orders" on public.orders for select to authenticated
    using (user_id = (select auth.uid()));
grant select on public.orders to authenticated;
create type public.tenant_status as enum ('new', 'old');
"""
_PROFILES = """
create table public.profiles (id uuid primary key references auth.users (id) on delete cascade);
create function public.handle_new_user() returns trigger
    security definer set search_path = '' language plpgsql
as $$
begin
    insert into public.profiles (id) values (new.id); /* create table tenants (id uuid); */
    return new;
end;
$$;
create trigger on_auth_user_created after insert on auth.users
    for each row execute function public.handle_new_user();
"""
_PRE_REQUEST = """
create function public.check_request() returns void language plpgsql as $body$
begin
    if current_setting('request.headers', true)::json ->> 'x-blocked' is not null then
        raise exception 'blocked';
    end if;
end;
$body$;
grant execute on function public.check_request() to anon, authenticated, service_role;
"""
_API = """
create schema api;
create table api.items (id int primary key);
insert into api.items values (7);
grant usage on schema api to anon, authenticated;
grant select on api.items to anon, authenticated;
do $$ begin
    execute format(
        'alter role authenticator in database %I set pgrst.db_pre_request = %L',
        current_database(), 'public.check_request'
    );
end $$;
"""
# The state of the emulator and of the Supabase CLI, and bytecode.
_KEPT = {".tenantry", ".temp", "__pycache__"}
_APP = {
    "package.json": '{"private": true, "workspaces": ["app"]}\n',
    "app/package.json": '{"name": "app", "dependencies": {"next": "15"}}\n',
    "app/page.tsx": "export default () => <main />\n",
    "supabase/functions/hello/index.ts": "Deno.serve(() => new Response('hello'))\n",
    "supabase/seed.sql": "insert into public.shops values (1, 'Main Street');\n",
    "supabase/migrations/20250310000000_create_shops.sql": """
create table public.shops (id int primary key, name text);
grant select on public.shops to anon, authenticated;
create view public.shop_names with (security_invoker = true) as select name from public.shops;
grant select on public.shop_names to anon, authenticated;
create function public.count_shops() returns bigint language sql
    as 'select count(*) from public.shops';
grant execute on function public.count_shops() to anon, authenticated;
""",
}


@dataclass(frozen=True)
class OwnProject:
    root: Path

    @classmethod
    def create(cls, root: Path) -> OwnProject:
        project = cls(root)
        project.write("supabase/config.toml", _CONFIG)
        project.write("supabase/.gitignore", ".branches\n.temp\n")
        for version, name, text in (
            ("20250101000000", "create_orders", _ORDERS),
            ("20250201000000", "create_profiles", _PROFILES),
            ("20250301000000", "check_requests", _PRE_REQUEST),
        ):
            project.write(f"supabase/migrations/{version}_{name}.sql", text)
        return project

    def put_api_first(self) -> None:
        """Exposes a schema `api` before `public`, and sets the pre-request function."""
        listed = '["public", "graphql_public"]'
        self.replace("supabase/config.toml", listed, '["api", "public"]')
        self.write("supabase/migrations/20250401000000_create_api.sql", _API)

    def add_app(self) -> None:
        """Adds an app, an Edge Function, a seed, and a view and a function in `public`."""
        for path, text in _APP.items():
            self.write(path, text)

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def replace(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text
        self.write(path, text.replace(old, new))

    def files(self) -> dict[str, str]:
        """The text of every file, by path, without what programs keep there."""
        return {
            file.relative_to(self.root).as_posix(): file.read_text()
            for file in sorted(self.root.rglob("*"))
            if file.is_file() and _KEPT.isdisjoint(file.relative_to(self.root).parts)
        }

    def migrations(self) -> list[Path]:
        return sorted((self.root / "supabase" / "migrations").iterdir())


def record(session: psycopg.Connection, *versions: str) -> None:
    """Writes the history of the Supabase CLI, as a push does."""
    session.execute("create schema if not exists supabase_migrations")
    session.execute(
        "create table if not exists supabase_migrations.schema_migrations (version text)"
    )
    for version in versions:
        session.execute(
            "insert into supabase_migrations.schema_migrations values (%s)", (version,)
        )


def run(command: str, *options: str) -> Result:
    """Runs the command in the working directory, with no database but a given one."""
    return CliRunner().invoke(main, [command, *options], env={"SUPABASE_DB_URL": None})


def succeed(command: str, *options: str) -> str:
    done = run(command, *options)
    assert done.exit_code == 0, done.output
    return done.output
