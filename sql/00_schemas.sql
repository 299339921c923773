-- The helpers are in `tenancy`, which the Data API never exposes. `public` has only what
-- clients use: four tables and the RPCs.
create schema tenancy;

comment on schema tenancy is
    'Private helpers of the multi-tenancy system. Never expose this schema through the Data API.';
