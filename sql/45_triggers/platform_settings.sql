create trigger require_possible before insert or update on tenancy.platform_settings
    for each row execute function tenancy.tg_platform_settings__require_possible();
-- If the row of settings is deleted and inserted again, its retention is compared with the last one.
create trigger record_retention after insert or update on tenancy.platform_settings
    for each row execute function tenancy.tg_platform_settings__record_retention();
