create function tenancy.printable(value text)
    returns text
    immutable
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    -- PostgREST sends the message of a PTnnn error as the reason phrase of its reply, as it
    -- is: a line break in there would begin a header of the caller's choice.
    return left(regexp_replace(value, '[^ -~]', '?', 'g'), 80);
end;
$$;

comment on function tenancy.printable(text) is
    'What a caller sent, fit to stand in an error''s message: printable ASCII, at most 80 characters.';
