create function tenancy.one_line(message text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language sql
as $$
    -- No line break: see printable.
    select left(regexp_replace(message, '[^ -~]', '?', 'g'), 1000);
$$;

comment on function tenancy.one_line(text) is
    'An error''s message made safe for another message: at most 1,000 characters, with ? for everything but printable ASCII.';
