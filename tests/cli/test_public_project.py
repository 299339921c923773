"""The emulator runs a project as others write them: an older config.toml, Storage, Realtime,
Vault, webhooks, seeds of users, and extensions that the emulator lacks.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import psycopg
import pytest
import requests

from support.trial import Trial
from support.waiting import until
from tenantry_cli.emulator.components import component_cache
from tenantry_cli.emulator.rehearsal import statements
from tenantry_cli.emulator.stack import EndedError, Stack

pytestmark = pytest.mark.long

CONFIG = """
project_id = "shop"

[api]
port = 54321
schemas = ["public", "storage", "graphql_public", "shop", "planned"]
max_rows = 2

[db]
port = 54322

[db.seed]
sql_paths = ["./seeds/**/*.sql", "../data/*.sql"]

[inbucket]
enabled = true

[auth]
site_url = "https://shop.example"
enable_signup = true
jwt_expiry = 600
minimum_password_length = 10

[auth.hook.custom_access_token]
enabled = true
uri = "pg-functions://postgres/public/hook"

[auth.external.slack]
enabled = false

[auth.email.template.invite]
subject = "Join"
content_path = "./supabase/templates/invite.html"
"""

SERVICES = """
create extension if not exists "supabase_vault" with schema "vault";
create extension if not exists "pg_graphql" with schema "graphql";
create extension if not exists moddatetime schema extensions;
create extension if not exists "pg_stat_statements" with schema "extensions";
create extension if not exists citext schema extensions;
create extension if not exists pg_trgm with schema extensions;

insert into storage.buckets (id, name, public) values ('avatars', 'avatars', true);
alter table storage.objects enable row level security;
create policy "Own folder" on storage.objects for insert to authenticated
    with check (bucket_id = 'avatars' and (storage.foldername(name))[1] = auth.uid()::text);
create policy "Public avatars" on storage.objects for select
    using (bucket_id = 'avatars' and storage.extension(name) = 'png');
create policy "Members listen" on realtime.messages for select to authenticated
    using (realtime.topic() = 'room');

create table public.profiles (
    id uuid primary key references auth.users (id) on delete cascade,
    email extensions.citext,
    updated_at timestamptz
);
alter publication supabase_realtime add table public.profiles;
create trigger touch before update on public.profiles
    for each row execute function extensions.moddatetime(updated_at);
create trigger notify_shop after insert on public.profiles
    for each row execute function supabase_functions.http_request(
        'http://localhost/hook', 'POST', '{}', '{}', '1000'
    );
create function public.tell() returns trigger language plpgsql security definer as $$
begin
    perform realtime.send(to_jsonb(new), 'insert', 'room', false);
    perform realtime.broadcast_changes('room', tg_op, tg_op, 'profiles', 'public', new, old);
    return new;
end
$$;
create trigger tell after insert on public.profiles for each row execute function public.tell();
create function public.handle_new_user() returns trigger
    language plpgsql security definer set search_path = '' as $$
begin
    insert into public.profiles (id, email) values (new.id, new.email);
    return new;
end
$$;
create trigger "Old one" after insert on auth.users
    for each row execute function public.handle_new_user();
drop trigger if exists "Old one"
    on auth.users;
drop trigger if exists on_auth_user_created on auth.users;
create trigger on_auth_user_created after insert on auth.users
    for each row execute function public.handle_new_user();

alter role authenticator set pgrst.db_aggregates_enabled = 'true';
create role shop_manager;
grant anon to shop_manager;
grant shop_manager to authenticator;
grant usage on schema public to dashboard_user;
grant select on public.profiles to supabase_storage_admin, supabase_read_only_user;
select vault.create_secret('s3cret', 'hook', 'of the shop');
create function public.requires_second_factor() returns boolean language sql stable as $$
    select exists (
        select from auth.mfa_factors where user_id = auth.uid() and status = 'verified'
    )
$$;
create function public.enable_rls() returns event_trigger
    language plpgsql security definer set search_path = '' as $$
declare
    command record;
begin
    for command in select * from pg_event_trigger_ddl_commands() loop
        if command.schema_name = 'public' then
            execute format('alter table %s enable row level security', command.object_identity);
        end if;
    end loop;
end
$$;
drop event trigger if exists ensure_rls;
create event trigger ensure_rls on ddl_command_end
    when tag in ('CREATE TABLE')
    execute function enable_rls();
alter event trigger ensure_rls owner to postgres;
create table public.guarded (id integer);
drop event trigger ensure_rls;
create schema shop;
grant usage on schema shop to anon;
"""

MISSING = """-- Every night; really.
create extension if not exists pg_cron;
select cron.schedule('nightly', '0 3 * * *', $$delete from public.profiles; select 1$$);
create extension if not exists "vector" with schema "extensions";
create table public.embeddings (id integer primary key, value extensions.vector(3));
alter table public.embeddings enable row level security;
create table public.kept (id integer primary key, note text default 'a;b');
create role shop_reporter;
"""

USERS = """
set session_replication_role = 'origin';
insert into auth.users (
    instance_id, id, aud, role, email, encrypted_password, email_confirmed_at,
    raw_app_meta_data, raw_user_meta_data, is_super_admin, created_at, updated_at,
    confirmation_token, email_change, email_change_token_new, recovery_token
)
select
    '00000000-0000-0000-0000-000000000000', gen_random_uuid(), 'authenticated', 'authenticated',
    name || '@shop.example', extensions.crypt('correct horse', extensions.gen_salt('bf')),
    now(), '{"provider": "email", "providers": ["email"]}', '{}', false, now(), now(),
    '', '', '', ''
from unnest(array['ada', 'grace', 'joan']) as name;
insert into auth.identities (
    provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at
)
select
    id::text, id, jsonb_build_object('sub', id::text, 'email', email), 'email',
    now(), now(), now()
from auth.users;
"""


@pytest.fixture(scope="module")
def shop(own_project: Trial) -> Trial:
    own_project.write("supabase/config.toml", CONFIG)
    own_project.migration.unlink()
    # Tenantry was here once, and has been removed.
    (own_project.project.functions / "main.py").unlink()
    for version, name in (
        ("20250101000000", "tenantry_0_1_0"),
        ("20250102000000", "remove_tenantry"),
    ):
        own_project.write(f"supabase/migrations/{version}_{name}.sql", "select 1;\n")
    # The Supabase CLI skips the first of these two.
    own_project.write("supabase/migrations/old_one.sql", "select 1 / 0;")
    own_project.write("supabase/migrations/20251231000000_mark.sql", "\ufeffselect 1;\n")
    own_project.write("supabase/migrations/20260101000000_services.sql", SERVICES)
    own_project.write("supabase/migrations/20260102000000_missing.sql", MISSING)
    own_project.write("supabase/seeds/users/users.sql", USERS)
    own_project.write("supabase/templates/invite.html", "<p>Join</p>\n")
    own_project.write("data/kept.sql", "insert into public.kept values (1), (2), (3);\n")
    return own_project


@pytest.fixture(scope="module")
def stack(shop: Trial) -> Iterator[Stack]:
    with Stack.start(shop.project, port=None, ephemeral=True, leave_out_missing=True) as stack:
        yield stack


def one(url: str, query: str) -> Any:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def rest(stack: Stack, path: str, key: str, **headers: str) -> requests.Response:
    return requests.get(
        f"{stack.api_url}/rest/v1/{path}",
        headers={"apikey": key, "Connection": "close", **headers},
        timeout=30,
    )


def auth(stack: Stack, path: str, **given: Any) -> requests.Response:
    return requests.post(
        f"{stack.api_url}/auth/v1/{path}",
        json=given,
        headers={"apikey": stack.anon_key, "Connection": "close"},
        timeout=30,
    )


def test_project_names_each_statement_that_needs_what_the_emulator_lacks(shop: Trial) -> None:
    with (
        pytest.raises(EndedError) as refused,
        Stack.start(shop.project, port=None, ephemeral=True),
    ):
        pass

    message = str(refused.value)
    assert "Migration 20260102000000_missing.sql failed" in message
    file = "supabase/migrations/20260102000000_missing.sql"
    assert f"{file}:2: create extension if not exists pg_cron: extension" in message
    assert f"{file}:3: select cron.schedule('nightly'" in message
    assert (
        f"{file}:6: alter table public.embeddings enable row level security: relation"
        in message
    )
    assert "--leave-out-missing" in message
    assert "old_one" not in message
    # An ordinary mistake has its own message.
    assert "public.kept" not in message


def test_statements_that_need_what_is_missing_are_left_out_and_listed(stack: Stack) -> None:
    (listed,) = [each for each in stack.warnings if "They were left out" in each]
    file = "supabase/migrations/20260102000000_missing.sql"
    assert [line.split(": ")[0].strip() for line in listed.splitlines()[1:]] == [
        f"{file}:{number}" for number in (2, 3, 4, 5, 6)
    ]
    assert one(stack.db_url, "select to_regclass('public.embeddings')") is None
    assert one(stack.db_url, "select note from public.kept limit 1") == "a;b"
    # Nothing of the trial before remains.
    assert (
        one(stack.db_url, "select count(*) from pg_database where datname ~ 'rehearsal'") == 0
    )


def test_configuration_is_followed(stack: Stack) -> None:
    # max_rows, and the seed outside of `supabase`. A new table is open, as the CLI has it.
    assert len(rest(stack, "kept", stack.anon_key).json()) == 2
    for schema in ("storage", "graphql_public", "shop"):
        reply = rest(stack, "nothing", stack.anon_key, **{"Accept-Profile": schema})
        assert reply.status_code == 404, reply.text
    (unknown,) = [each for each in stack.warnings if "api.schemas" in each]
    assert "exposes planned in api.schemas" in unknown
    (not_followed,) = [each for each in stack.warnings if "does not follow" in each]
    assert not_followed.endswith(
        ": auth.email.template, auth.hook.custom_access_token.enabled."
    )

    weak = auth(stack, "signup", email="new@shop.example", password="ninechars")
    assert (weak.status_code, weak.json()["error_code"]) == (422, "weak_password")
    fine = auth(stack, "signup", email="new@shop.example", password="ten chars!")
    assert fine.json()["expires_in"] == 600
    anonymous = auth(stack, "signup")
    assert anonymous.json()["error_code"] == "anonymous_provider_disabled"


def test_seeded_user_signs_in(stack: Stack) -> None:
    signed_in = auth(
        stack, "token?grant_type=password", email="ada@shop.example", password="correct horse"
    )
    assert signed_in.status_code == 200, signed_in.text
    assert "instance_id" not in signed_in.json()["user"]


def test_policies_of_storage_decide_in_sql(stack: Stack) -> None:
    with psycopg.connect(stack.db_url) as connection:
        (user,) = connection.execute("select id::text from auth.users limit 1").fetchone() or ()
        connection.execute("select set_config('request.jwt.claim.sub', %s, true)", [user])
        connection.execute("set local role authenticated")
        insert = "insert into storage.objects (bucket_id, name) values ('avatars', %s)"
        connection.execute(insert, [f"{user}/me.png"])
        found = connection.execute("select path_tokens from storage.objects").fetchall()
        assert found == [([user, "me.png"],)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(insert, ["other/me.png"])


def test_services_have_what_migrations_name(stack: Stack) -> None:
    published = "select string_agg(tablename, '') from pg_publication_tables"
    assert one(stack.db_url, f"{published} where pubname = 'supabase_realtime'") == "profiles"
    secret = "select decrypted_secret from vault.decrypted_secrets where name = 'hook'"
    assert one(stack.db_url, secret) == "s3cret"
    assert one(stack.db_url, "select count(*) from public.profiles") >= 3
    until(lambda: rest(stack, "profiles", stack.anon_key).status_code == 200)


def test_project_has_no_functions_of_tenantry(stack: Stack) -> None:
    reply = requests.get(
        f"{stack.functions_url}/tenant-status", headers={"Connection": "close"}, timeout=30
    )

    assert reply.status_code == 503
    assert "There are no functions" in reply.json()["message"]
    assert "The emulator runs no Edge Functions." in reply.json()["hint"]


def test_role_of_the_project_is_a_member_of_anon(stack: Stack) -> None:
    claims = {"role": "shop_manager", "exp": 2_000_000_000}
    token = jwt.encode(claims, stack.jwt_secret, "HS256")

    reply = rest(stack, "kept", stack.anon_key, Authorization=f"Bearer {token}")

    assert len(reply.json()) == 2


def test_event_trigger_of_the_project_runs(stack: Stack) -> None:
    guarded = "select relrowsecurity from pg_class where oid = 'public.guarded'::regclass"
    assert one(stack.db_url, guarded)


def test_push_applies_what_is_pending(shop: Trial, stack: Stack) -> None:
    shop.write(
        "supabase/migrations/20260103000000_later.sql",
        "create table public.later (id integer);\ncreate extension pg_net;\n"
        "do $$ begin raise warning E'It is later.\\nMuch later.'; end $$;\n",
    )
    refused = shop.tenantry("push")
    assert refused.returncode == 1
    assert "20260103000000_later.sql:2: create extension pg_net: extension" in refused.stderr
    # Applied already, without them.
    assert "20260102000000" not in refused.stderr

    pushed = shop.tenantry("push", "--leave-out-missing")

    assert pushed.returncode == 0, pushed.stderr
    assert "Applied 1: 20260103000000_later.sql" in pushed.stdout
    assert pushed.stderr == "Warning: It is later.\nMuch later.\n"
    again = shop.tenantry("push")
    assert (again.stdout, again.stderr) == ("There is no new migration.\n", "")
    until(lambda: rest(stack, "later", stack.anon_key).status_code == 200)


def test_supabase_cli_works_with_the_emulator_as_its_database(
    shop: Trial, stack: Stack
) -> None:
    listed = shop.tenantry("supabase", "migration", "list")
    assert listed.returncode == 0, listed.stderr
    assert "20260102000000" in listed.stdout
    types = shop.tenantry("supabase", "gen", "types", "--lang=typescript")
    assert '"profiles": {' in types.stdout
    # Files that it writes are the project's.
    made = shop.tenantry("supabase", "migration", "new", "more")
    assert made.returncode == 0, made.stderr
    (file,) = shop.project.migrations.glob("*_more.sql")
    # The CLI itself shows no warning.
    file.write_text("do $$ begin raise warning 'It is more.'; end $$;")
    pushed = shop.tenantry("supabase", "db", "push", "--yes")
    assert pushed.returncode == 0, pushed.stderr
    assert "Warning: It is more.\n" in pushed.stderr
    version = file.name.split("_")[0]
    with psycopg.connect(stack.db_url) as database:
        database.execute(
            "delete from supabase_migrations.schema_migrations where version = %s", (version,)
        )
    file.unlink()
    assert shop.tenantry("push").stdout == "There is no new migration.\n"
    other = shop.tenantry("supabase", "db", "lint", "--remote=postgresql://127.0.0.1:1/none")
    assert other.returncode != 0
    assert "`tenantry reset`" in shop.tenantry("supabase", "db", "reset").stderr
    assert (shop.directory / "supabase" / "config.toml").read_text() == CONFIG


def test_supabase_cli_leaves_nothing_outside_the_project(
    shop: Trial, stack: Stack, tmp_path: Path
) -> None:
    folders = {"HOME": tmp_path / "home", "TMPDIR": tmp_path / "tmp"}
    for folder in folders.values():
        folder.mkdir()
    # The cache of a user lies in the home.
    folders["TENANTRY_CACHE_DIR"] = component_cache()
    shown = replace(shop, env={**shop.env, **{n: str(f) for n, f in folders.items()}})

    listed = shown.tenantry("supabase", "migration", "list")

    assert "20260102000000" in listed.stdout
    assert [*tmp_path.rglob("*")] == [*tmp_path.glob("*")]
    # The access token of the person is still found.
    (folders["HOME"] / ".supabase").mkdir()
    (folders["HOME"] / ".supabase" / "access-token").write_text("no token")
    refused = shown.tenantry("supabase", "projects", "list")
    assert "Invalid access token format" in refused.stderr


def test_file_is_cut_into_its_statements() -> None:
    text = """
-- first; not a statement
select 'a;''b', E'c\\';', "d;e", $$f;$$, $g$ ; $$ ; $g$; /* ; */
create function f() returns integer language sql begin atomic select 1; select 2; end;

select 3"""
    found = list(statements(text))
    assert [each.line for each in found] == [3, 4, 6]
    assert [each.text.split()[-1] for each in found] == ["$g$;", "end;", "3"]
