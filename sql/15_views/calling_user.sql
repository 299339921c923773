-- The user who is calling. Both layers that decide about rows read this view, and so does
-- caller(). It calls no function of ours: a function in a view runs with the privileges of
-- whoever reads the view. Every request evaluates it twice, so the shape matters: a subselect
-- costs less than a join, which would describe all the columns of auth.users.
create view tenancy.calling_user as
    select u.id as user_id
    from tenancy.active_users u
    where u.id = (
        select
            case
                when current_setting('role', true) = 'authenticated'
                    -- 36 characters with four hyphens in their places and digits elsewhere. One
                    -- regular expression of all this costs four times as much.
                    and c.subject like '________-____-____-____-____________'
                    and c.subject not like '%-%-%-%-%-%'
                    and c.subject ~ '^[0-9a-fA-F-]+$'
                then c.subject::uuid
            end
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
    );

comment on view tenancy.calling_user is
    'The user who is calling: the subject of the token, if PostgREST switched to the role authenticated and the user is active in Auth. Otherwise there is no row.';
