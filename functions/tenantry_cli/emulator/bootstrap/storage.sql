-- The schema of Storage, for policies, seeds and functions. The emulator has no Storage server.

create schema storage authorization supabase_storage_admin;
grant usage on schema storage to postgres, anon, authenticated, service_role, dashboard_user;
alter default privileges for role supabase_storage_admin in schema storage
    grant all on tables to postgres, anon, authenticated, service_role;
alter default privileges for role supabase_storage_admin in schema storage
    grant all on sequences to postgres, anon, authenticated, service_role;
alter default privileges for role supabase_storage_admin in schema storage
    grant all on functions to postgres, anon, authenticated, service_role;

set local role supabase_storage_admin;

create type storage.buckettype as enum ('STANDARD', 'ANALYTICS', 'VECTOR');

create table storage.buckets (
    id text primary key,
    name text not null,
    owner uuid,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    public boolean default false,
    avif_autodetection boolean default false,
    file_size_limit bigint,
    allowed_mime_types text[],
    owner_id text,
    type storage.buckettype not null default 'STANDARD'
);
create unique index bname on storage.buckets (name);

create table storage.objects (
    id uuid primary key default gen_random_uuid(),
    bucket_id text constraint "objects_bucketId_fkey" references storage.buckets (id),
    name text,
    owner uuid,
    created_at timestamptz default now(),
    updated_at timestamptz default now(),
    last_accessed_at timestamptz default now(),
    metadata jsonb,
    path_tokens text[] generated always as (string_to_array(name, '/')) stored,
    version text,
    owner_id text,
    user_metadata jsonb
);
create unique index bucketid_objname on storage.objects (bucket_id, name);
create index name_prefix_search on storage.objects (name text_pattern_ops);

alter table storage.buckets enable row level security;
alter table storage.objects enable row level security;

-- The folders of a path, without the file.
create function storage.foldername(name text)
    returns text[]
    immutable
    language plpgsql
as $$
declare
    v_parts text[] := string_to_array(name, '/');
begin
    return v_parts[1:array_length(v_parts, 1) - 1];
end
$$;

create function storage.filename(name text)
    returns text
    immutable
    language plpgsql
as $$
declare
    v_parts text[] := string_to_array(name, '/');
begin
    return v_parts[array_length(v_parts, 1)];
end
$$;

create function storage.extension(name text)
    returns text
    immutable
    language plpgsql
as $$
declare
    v_parts text[] := string_to_array(name, '/');
begin
    return reverse(split_part(reverse(v_parts[array_length(v_parts, 1)]), '.', 1));
end
$$;

-- The operation that Storage performs. Policies may ask for it.
create function storage.operation()
    returns text
    stable
    language plpgsql
as $$
begin
    return current_setting('storage.operation', true);
end
$$;

create function storage.update_updated_at_column()
    returns trigger
    language plpgsql
as $$
begin
    new.updated_at := now();
    return new;
end
$$;

create trigger update_objects_updated_at
    before update on storage.objects
    for each row execute function storage.update_updated_at_column();

reset role;
