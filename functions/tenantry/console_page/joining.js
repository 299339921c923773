// The parts of a tenant that say who comes in: invitations, roles, requests and domains.

import { button, code, element, moment, partHeading } from './elements.js'
import {
  askFor, endField, endOf, field, input, joiningLevelField, levelField, rolesField, showOnce,
} from './forms.js'
import { pages, rowsOf } from './lists.js'
import { rolesOf } from './members.js'
import { call } from './project.js'

const titled = (title, ...buttons) => element('div', { class: 'title' }, title, ...buttons)
const address = (text) => element('div', { class: 'address' }, text)

// Invitations -------------------------------------------------------------------------------

function invite(given, roles, show) {
  askFor({
    title: 'Invite a member',
    text: 'You get a secret to send. Whoever owns the address lets themselves in with it, once.',
    fields: [
      field('Email', input('asked-email', 'email', { type: 'email', required: true })),
      levelField(), rolesField(roles), endField(),
    ],
    submit: 'Invite',
  }, async (asked, data) => {
    const made = await call('access-control', 'invite_member', {
      ...given, email: asked.email, access_level: asked.access_level,
      roles: data.getAll('roles'), expires_at: endOf(asked),
    })
    return () => showOnce({
      title: `${made.email} is invited`,
      text: 'Send this secret to that address alone. It is shown this once: a lost one is replaced '
        + 'by inviting the address again.',
      label: 'Secret of the invitation',
      value: made.secret,
    }, () => show(`${made.email} is invited.`))
  })
}

export async function invitationsPart(tenant, { show, announce }) {
  const given = { schema_name: tenant.schema_name }
  const roles = await call('access-control', 'list_roles', given)

  const revoke = (row) => askFor({
    title: `Revoke the invitation of ${row.email}?`,
    text: 'Its secret is void from then on.',
    submit: 'Revoke',
    kind: 'danger',
  }, async () => {
    await call('access-control', 'revoke_invitation', { ...given, invitation_id: row.id })
    return () => show(`The invitation of ${row.email} was revoked.`)
  })

  const columns = [
    ['Address', (row) => address(row.email)],
    ['Level', (row) => row.access_level],
    ['Roles', rolesOf],
    ['Access ends', (row) => row.expires_at === null ? 'no end' : moment(row.expires_at)],
    ['Invited', (row) => moment(row.created_at)],
    ['Valid until', (row) => moment(row.valid_until)],
    ['Actions', (row) => button('Revoke', () => revoke(row), 'danger', `Revoke the invitation of ${row.email}`)],
  ]
  return [
    titled(partHeading('Open invitations'), button('Invite …', () => invite(given, roles, show), 'primary')),
    await pages('Invitations', columns, (last, page_size) => call('access-control', 'list_invitations', {
      ...given, page_size, after: last?.email ?? null,
    }), 'There is no open invitation.', announce),
  ]
}

// Roles -------------------------------------------------------------------------------------

export async function rolesPart(tenant) {
  const roles = await call('access-control', 'list_roles', { schema_name: tenant.schema_name })
  return [
    partHeading('Roles'),
    rowsOf('Roles', [
      ['Role', (row) => code(row.role_name)],
      ['Permissions', (row) => row.permissions.length ? code(row.permissions.join(', ')) : '–'],
      ['Description', (row) => row.description ?? '–'],
      ['Of', (row) => row.is_template ? 'every tenant' : 'this tenant'],
    ], roles, 'This tenant has no roles.'),
  ]
}

// Requests ----------------------------------------------------------------------------------

export async function requestsPart(tenant, { show, announce }) {
  const decide = (row, approve, more) => call('access-control', 'decide_request', {
    schema_name: tenant.schema_name, user_id: row.user_id, approve, ...more,
  })
  const nameOf = (row) => row.email ?? 'this person'

  const approve = (row) => askFor({
    title: `Let ${nameOf(row)} in?`, fields: [levelField(), endField()], submit: 'Approve',
  }, async (asked) => {
    await decide(row, true, { access_level: asked.access_level, expires_at: endOf(asked) })
    return () => show(`${nameOf(row)} is a member now.`)
  })
  const refuse = (row) => askFor({
    title: `Refuse ${nameOf(row)}?`,
    text: 'They can ask again after seven days.',
    submit: 'Refuse',
    kind: 'danger',
  }, async () => {
    await decide(row, false, {})
    return () => show(`${nameOf(row)} was refused.`)
  })

  const columns = [
    ['Address', (row) => row.email === null ? code(row.user_id) : address(row.email)],
    ['Signs in by', (row) => row.provider ?? '–'],
    ['Message', (row) => row.message ?? '–'],
    ['Since', (row) => moment(row.created_at)],
    ['Actions', (row) => element('div', { class: 'buttons' },
      button('Approve', () => approve(row), null, `Approve ${nameOf(row)}`),
      button('Refuse', () => refuse(row), 'danger', `Refuse ${nameOf(row)}`))],
  ]
  return [
    partHeading('Requests for access'),
    await pages('Requests', columns, (last, page_size) => call('access-control', 'list_access_requests', {
      schema_name: tenant.schema_name, page_size, after: last?.id ?? null,
    }), 'There is no open request.', announce),
  ]
}

// Domains -----------------------------------------------------------------------------------

function addDomain(given, show) {
  askFor({
    title: 'Add a domain',
    text: 'Once it is verified, everybody with a confirmed address of it may join the tenant.',
    fields: [
      field('Domain', input('asked-domain', 'domain', { required: true, autocapitalize: 'none', spellcheck: 'false' }),
        { hint: 'Such as example.com, or sso: and the id of an SSO provider.' }),
      joiningLevelField(),
    ],
    submit: 'Add domain',
  }, async ({ domain, access_level }) => {
    const made = await call('access-control', 'add_tenant_domain', { ...given, domain: domain.trim(), access_level })
    return () => show(`${made.domain} was added.`)
  })
}

export async function domainsPart(tenant, { show }) {
  const given = { schema_name: tenant.schema_name }
  const domains = await call('access-control', 'list_tenant_domains', given)

  const verify = ({ domain }) => askFor({
    title: `Vouch for ${domain}?`,
    text: 'Its users may join from then on. The console asks no DNS: check the TXT record, or be '
      + 'sure of the owner. The admin log says that you vouched.',
    submit: 'Vouch',
  }, async () => {
    await call('access-control', 'verify_tenant_domain', { ...given, domain })
    return () => show(`${domain} is verified.`)
  })
  const remove = ({ domain }) => askFor({
    title: `Remove ${domain}?`,
    text: 'Nobody can join by it any more. Those who have joined stay members.',
    submit: 'Remove',
    kind: 'danger',
  }, async () => {
    await call('access-control', 'remove_tenant_domain', { ...given, domain })
    return () => show(`${domain} was removed.`)
  })

  const record = (row) => row.txt_name === null ? '–' : element('div', { class: 'record' },
    code(row.txt_name), element('br'), code(row.txt_value))
  return [
    titled(partHeading('Domains whose users may join'), button('Add domain …', () => addDomain(given, show), 'primary')),
    rowsOf('Domains', [
      ['Domain', (row) => code(row.domain)],
      ['Level', (row) => row.access_level],
      ['Verified', (row) => row.verified_at === null
        ? element('span', { class: 'badge suspended' }, 'not yet') : moment(row.verified_at)],
      ['TXT record to publish', record],
      ['Actions', (row) => element('div', { class: 'buttons' },
        row.verified_at === null ? button('Vouch', () => verify(row), null, `Vouch for ${row.domain}`) : null,
        button('Remove', () => remove(row), 'danger', `Remove ${row.domain}`))],
    ], domains, 'No domain lets anybody in.'),
  ]
}
