// The calls of a client app with the types that openapi-typescript has generated.
import createClient from 'openapi-fetch'
import type { components, paths } from './tenantry.ts'

declare const process: { env: Record<string, string> }
type Schemas = components['schemas']

const { FUNCTIONS_URL, TOKEN, TENANT, USER_ID } = process.env
const client = createClient<paths>({
  baseUrl: FUNCTIONS_URL,
  headers: { Authorization: `Bearer ${TOKEN}` },
})

const tenant = await client.POST('/schema-management/create_tenant_schema', {
  body: { schema_name: TENANT },
})
const access = await client.POST('/access-control/grant_schema_access', {
  body: { schema_name: TENANT, user_id: USER_ID },
})
const refused = await client.POST('/tenant-status/get_tenant_info', {
  body: { schema_name: `${TENANT}_missing` },
})
const health = await client.GET('/tenant-status')

const level: Schemas['AccessLevel'] | undefined = access.data?.access_level
// @ts-expect-error There is no such level.
const owner: Schemas['AccessLevel'] = 'owner'
// @ts-expect-error The user is missing.
const nobody: Schemas['GrantSchemaAccess'] = { schema_name: TENANT }
// @ts-expect-error There is no such argument.
const misspelt: Schemas['GrantSchemaAccess'] = { schema_name: TENANT, user_id: USER_ID, level }
void [owner, nobody, misspelt]

console.log(
  JSON.stringify([
    tenant.data?.status,
    level,
    refused.error?.code,
    refused.error?.hint,
    health.data?.name,
  ]),
)
