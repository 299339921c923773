create view tenancy.active_users as
    select u.id
    from auth.users u
    where u.deleted_at is null
        -- Not now(), which is the start of the transaction.
        and (u.banned_until > statement_timestamp()) is not true;

comment on view tenancy.active_users is
    'The users of Auth who are neither banned nor deleted. Everybody else is nobody, and nobody can give them anything.';
