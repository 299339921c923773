-- Everything that decides lives in `tenancy`, which is never exposed through the Data API.
-- `public` holds only what a client may name: four tables and the RPCs.
create schema tenancy;

comment on schema tenancy is
    'Private helpers of the multi-tenancy system. Never expose it through the Data API.';
