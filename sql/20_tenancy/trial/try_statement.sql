create function tenancy.try_statement(
    statement text,
    out row_count bigint,
    out code text,
    out message text
)
    volatile
    security invoker
    set search_path = ''
    language plpgsql
as $$
begin
    execute statement;
    get diagnostics row_count = row_count;
exception
    when deadlock_detected or lock_not_available then
        raise;
    when others then
        get stacked diagnostics code = returned_sqlstate, message = message_text;
end;
$$;

comment on function tenancy.try_statement(text) is
    'Runs a statement and returns how many rows it concerned, or the error, after which nothing of it is left (40P01, 55P03).';
