-- What the tables of hosted Auth have beside those of the local server. Seeds and functions of
-- projects name these columns and tables. Auth itself does not.

alter table auth.users add column if not exists instance_id uuid;
alter table auth.users add column if not exists is_super_admin boolean;
alter table auth.identities alter column id set default gen_random_uuid();

-- On hosted Supabase, supautils lets `postgres` drop a trigger on a table of Auth.
create function extensions.drop_auth_trigger(
    trigger_name text, table_name text, if_exists boolean
)
    returns void
    security definer
    set search_path = ''
    language plpgsql
as $$
begin
    execute format(
        'drop trigger %s %I on auth.%I',
        case when if_exists then 'if exists' end, trigger_name, table_name
    );
end
$$;
revoke all on function extensions.drop_auth_trigger from public;
grant execute on function extensions.drop_auth_trigger to postgres;

set local role supabase_auth_admin;

do $$
begin
    if to_regtype('auth.aal_level') is null then
        create type auth.aal_level as enum ('aal1', 'aal2', 'aal3');
        create type auth.factor_type as enum ('totp', 'webauthn', 'phone');
        create type auth.factor_status as enum ('unverified', 'verified');
    end if;
end
$$;

create table if not exists auth.instances (
    id uuid primary key,
    uuid uuid,
    raw_base_config text,
    created_at timestamptz,
    updated_at timestamptz
);

create table if not exists auth.mfa_factors (
    id uuid primary key,
    user_id uuid not null references auth.users (id) on delete cascade,
    friendly_name text,
    factor_type auth.factor_type not null,
    status auth.factor_status not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    secret text,
    phone text,
    last_challenged_at timestamptz unique,
    web_authn_credential jsonb,
    web_authn_aaguid uuid,
    last_webauthn_challenge_data jsonb
);

create table if not exists auth.mfa_amr_claims (
    session_id uuid not null references auth.sessions (id) on delete cascade,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    authentication_method text not null,
    id uuid primary key,
    unique (session_id, authentication_method)
);

reset role;
