create function tenancy.find_staff(email text)
    returns uuid
    stable
    security invoker
    set search_path = ''
    language sql
as $$
    select s.user_id
    from tenancy.current_staff s
    join auth.users u on u.id = s.user_id
    where lower(u.email collate "C") = lower(find_staff.email collate "C")
    limit 1;
$$;

comment on function tenancy.find_staff(text) is
    'The member of the platform''s staff who has this e-mail address in Auth; null if there is none.';
