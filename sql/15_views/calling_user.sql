-- The user who is calling. Both layers that decide about rows read this view, and so does
-- caller(). It calls no function of ours: a function in a view runs with the privileges of
-- whoever reads the view.
create view tenancy.calling_user as
    select u.id as user_id
    from (
        -- The claim that auth.uid() reads. auth.uid() raises an error for a subject that is no
        -- UUID, and a token of another issuer may have any subject. `offset 0` keeps PostgreSQL
        -- from parsing the claims once for every use of the subject.
        select coalesce(
            nullif(current_setting('request.jwt.claim.sub', true), ''),
            nullif(current_setting('request.jwt.claims', true), '')::json ->> 'sub'
        ) as subject
        from (values (1)) v (one)
        offset 0
    ) c
    inner join tenancy.active_users u
        on u.id = case
            -- A regular expression costs as much as the rest of this view.
            when c.subject like '________-____-____-____-____________'
                and translate(c.subject, '0123456789abcdefABCDEF', '') = '----'
            then c.subject::uuid
        end
    where current_setting('role', true) = 'authenticated';

comment on view tenancy.calling_user is
    'The user who is calling: the subject of the token, if PostgREST switched to the role authenticated and the user is active in Auth. Otherwise there is no row.';
