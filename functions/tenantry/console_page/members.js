// The part "Members" of a tenant: who they are, what they may, and until when.

import { button, code, element, moment, partHeading } from './elements.js'
import { askFor, endField, endOf, field, input, levelField, rolesField, select, submits } from './forms.js'
import { fill } from './lists.js'
import { call } from './project.js'
import { closeSupport, supportBadge } from './support.js'

const NO_SEARCH = { schema_name: '', text: '', sort: 'email' }
const search = { ...NO_SEARCH }
export const forgetSearch = () => Object.assign(search, NO_SEARCH)

const SORTS = {
  email: 'Address',
  display_name: 'Name',
  'access_level.desc': 'Highest level first',
  'granted_at.desc': 'Newest first',
  granted_at: 'Oldest first',
  'last_sign_in_at.desc': 'Last signed in first',
  last_sign_in_at: 'Longest away first',
}

const nameOf = ({ email, display_name }) => email ?? display_name ?? 'this member'

function address(row) {
  return element('div', { class: 'address' },
    row.email === null ? code(row.user_id) : element('span', {}, row.email),
    row.support_reason === null ? null : supportBadge(row))
}

function end(row) {
  if (row.expires_at === null && row.is_active) return 'no end'
  const isOver = row.expires_at !== null && new Date(row.expires_at) <= new Date()
  return element('span', {}, row.expires_at === null ? 'no end' : moment(row.expires_at), ' ',
    row.is_active ? null : element('span', { class: 'badge suspended' }, isOver ? 'expired' : 'blocked'))
}

export const rolesOf = (row) => row.roles.length ? row.roles.join(', ') : '–'

export async function membersPart(tenant, { manages, show, announce }) {
  if (search.schema_name !== tenant.schema_name) {
    Object.assign(search, NO_SEARCH, { schema_name: tenant.schema_name })
  }
  const given = { schema_name: tenant.schema_name }
  const roles = manages ? await call('access-control', 'list_roles', given) : []

  function change(row) {
    askFor({
      title: `Change the access of ${nameOf(row)}`,
      fields: [levelField(row.access_level), rolesField(roles, row.roles), endField(row.expires_at)],
      submit: 'Save',
    }, async (asked, data) => {
      await call('access-control', 'grant_schema_access', {
        ...given, user_id: row.user_id, access_level: asked.access_level,
        roles: data.getAll('roles'), expires_at: endOf(asked, row.expires_at),
      })
      return () => show(`The access of ${nameOf(row)} was changed.`)
    })
  }

  function remove(row) {
    askFor({
      title: `Remove ${nameOf(row)}?`,
      text: 'They lose their access to this tenant at once. Their rows stay.',
      submit: 'Remove',
      kind: 'danger',
    }, async () => {
      await call('access-control', 'revoke_schema_access', { ...given, user_id: row.user_id })
      return () => show(`${nameOf(row)} was removed.`)
    })
  }

  function actions(row) {
    if (row.support_reason !== null) {
      return button('End', () => closeSupport(row, `${nameOf(row)} loses it at once.`, show), null, `End the support access of ${nameOf(row)}`)
    }
    return element('div', { class: 'buttons' },
      button('Change', () => change(row), null, `Change ${nameOf(row)}`),
      button('Remove', () => remove(row), 'danger', `Remove ${nameOf(row)}`))
  }

  const columns = [
    ['Address', address],
    // Staff reads no rows of a tenant, so it sees no names, unless it has access.
    ...(tenant.access_level === null ? [] : [['Name', (row) => row.display_name ?? '–']]),
    ['Level', (row) => row.access_level],
    ['Roles', rolesOf],
    ['Since', (row) => moment(row.granted_at)],
    ['Until', end],
    ...(manages ? [['Actions', actions]] : []),
  ]
  const list = element('div')
  const problems = element('div', { class: 'problems' })
  const form = element('form', { role: 'search', class: 'search short' },
    field('Address or name contains', input('member-text', 'text', { type: 'search', value: search.text, maxlength: 200 })),
    field('Sort by', select('member-sort', 'sort', SORTS, search.sort)),
    element('button', { type: 'submit' }, 'Search'))

  function filled() {
    const { text, sort } = search
    return fill(list, 'Members', 'member', columns, (last, page_size) => call('access-control', 'list_members', {
      ...given, sort, page_size, after: last?.cursor ?? null, ...(text ? { search: text } : {}),
    }), text ? 'No member matches. Search for a shorter text.' : 'Nobody has access to this tenant yet.', announce)
  }

  submits(form, problems, async ({ text, sort }) => {
    Object.assign(search, { text: text.trim(), sort })
    announce(await filled())
  })
  await filled()
  return [partHeading('Members and their access'), form, problems, list]
}
