-- Not only add_tenant_domain asks for public mail domains: the owner may add one to the list later.
create view tenancy.verified_domains as
select d.schema_name, d.domain, d.access_level
from tenancy.tenants_domains d
where d.verified_at is not null
    and not exists (
        select from tenancy.public_mail_domains p
        where '.' || d.domain like '%.' || p.domain
    );

comment on view tenancy.verified_domains is
    'The domains and SSO providers by which users may join a tenant now: verified, and no public mail domain nor a subdomain of one.';
