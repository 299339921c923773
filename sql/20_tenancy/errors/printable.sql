create function tenancy.printable(value text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    -- PostgREST sends the message of a PTnnn error unchanged as the reason phrase of its
    -- reply. With a line break in the message, the caller could add a header to the reply.
    select left(regexp_replace(value, '[^ -~]', '?', 'g'), 80);
$$;

comment on function tenancy.printable(text) is
    'A caller''s value made safe for an error message: at most 80 characters, with ? for everything but printable ASCII.';
