create function tenancy.audit_head(hash bytea, lasting_hash bytea)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    return encode(case when lasting_hash = '' then hash else sha256(hash || lasting_hash) end, 'hex');
end;
$$;

comment on function tenancy.audit_head(bytea, bytea) is
    'The head at a link, from its two hashes: it stands for all entries before, and after a pruning still for the lasting ones.';
