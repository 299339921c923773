"""A project of somebody's own, as `supabase init` begins it, with three migrations."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def replace(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text
        self.write(path, text.replace(old, new))

    def files(self) -> dict[str, str]:
        """The text of every file, by path."""
        return {
            file.relative_to(self.root).as_posix(): file.read_text()
            for file in sorted(self.root.rglob("*"))
            if file.is_file()
        }

    def migrations(self) -> list[Path]:
        return sorted((self.root / "supabase" / "migrations").iterdir())


def run(command: str, *options: str) -> Result:
    """Runs the command in the working directory, with no database but a given one."""
    return CliRunner().invoke(main, [command, *options], env={"SUPABASE_DB_URL": None})


def succeed(command: str, *options: str) -> str:
    done = run(command, *options)
    assert done.exit_code == 0, done.output
    return done.output
