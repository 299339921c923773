-- Members write large values again and again, and change little in them. If the log kept both
-- values of each update, they could fill the disk.
create function tenancy.audited_change(
    before anyelement,
    after anyelement,
    is_after boolean,
    largest integer
)
    returns jsonb
    stable
    security invoker
    set search_path = ''
    language plpgsql
as $$
declare
    v_before bytea;
    v_after bytea;
    v_shown bytea;
    v_shorter integer;
    v_step integer;
    v_head integer := 0;
    v_tail integer := 0;
    v_part text;
begin
    begin
        v_before := convert_to(before::text, 'UTF8');
        v_after := convert_to(after::text, 'UTF8');
    exception
        when others then
            return tenancy.audited_value(case when is_after then after else before end, largest);
    end;
    v_shown := case when is_after then v_after else v_before end;
    if v_shown is null or length(v_shown) <= 2048 then
        return tenancy.audited_value(case when is_after then after else before end, largest);
    end if;

    -- What the two texts have in common at the beginning and at the end. Each comparison adds
    -- bytes that were not compared before, so the whole takes time in proportion to the texts.
    v_shorter := coalesce(least(length(v_before), length(v_after)), 0);
    if v_before is null or v_after is null then
        v_shorter := 0;
    end if;
    v_step := v_shorter;
    while v_step > 0 loop
        if v_head + v_step <= v_shorter
            and substr(v_before, v_head + 1, v_step) = substr(v_after, v_head + 1, v_step)
        then
            v_head := v_head + v_step;
        else
            v_step := v_step / 2;
        end if;
    end loop;
    -- A character must not be cut: its second and later bytes are 10xxxxxx.
    while v_head > 0 and (
        (v_head < length(v_before) and get_byte(v_before, v_head) & 192 = 128)
        or (v_head < length(v_after) and get_byte(v_after, v_head) & 192 = 128)
    ) loop
        v_head := v_head - 1;
    end loop;
    v_step := v_shorter - v_head;
    while v_step > 0 loop
        if v_head + v_tail + v_step <= v_shorter
            and substr(v_before, length(v_before) - v_tail - v_step + 1, v_step)
            = substr(v_after, length(v_after) - v_tail - v_step + 1, v_step)
        then
            v_tail := v_tail + v_step;
        else
            v_step := v_step / 2;
        end if;
    end loop;
    while v_tail > 0 and get_byte(v_shown, length(v_shown) - v_tail) & 192 = 128 loop
        v_tail := v_tail - 1;
    end loop;

    if v_head + v_tail < length(v_shown) / 2 or length(v_shown) - v_head - v_tail > largest / 8 then
        return case
            when is_after then tenancy.audited_summary(after, largest)
            else tenancy.audited_value(before, largest)
        end;
    end if;
    v_part := convert_from(substr(v_shown, v_head + 1, length(v_shown) - v_head - v_tail), 'UTF8');

    return jsonb_build_object(
        '$text', case when is_after then left(v_part, 1000) else v_part end,
        '$offset', v_head,
        '$bytes', length(v_shown),
        '$sha256', encode(sha256(v_shown), 'hex')
    );
end;
$$;

comment on function tenancy.audited_change(anyelement, anyelement, boolean, integer) is
    'The value before or after an update, as the audit log keeps it. Of a text with more than 2 KB it keeps the part that differs as $text, with $offset, the number of equal bytes before that part, and the whole text''s $bytes and $sha256. Of the value before, the part is complete, so that the value can be computed from the one that replaced it; of the value after, it is cut at 1,000 characters. If less than half of the text is equal, the value before is kept like audited_value and the value after like audited_summary.';
