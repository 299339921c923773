// The console: the view that the address names, and the content of each view.

import {
  badge, button, bytes, code, count, element, facts, heading, json, moment, partHeading, person,
  problem, waiting,
} from './elements.js'
import { ask, closeDialogs, field, input, select, submits } from './forms.js'
import { healthView, stuckPart } from './health.js'
import { domainsPart, invitationsPart, requestsPart, rolesPart } from './joining.js'
import { fill, pages, rowsOf } from './lists.js'
import { forgetSearch, membersPart } from './members.js'
import {
  call, caller, connect, ownGrant, signIn, signOut, tenant, tenants, whenSignedOut,
} from './project.js'
import { isOpenSupport, openSupportButton, supportBanner } from './support.js'

const content = document.getElementById('content')
const notice = document.getElementById('notice')
const sections = document.getElementById('sections')
const account = document.getElementById('account')

let me = null
let turn = 0
const NO_SEARCH = { text: '', status: '', sort: 'schema_name' }
const search = { ...NO_SEARCH }

// Hides buttons whose calls would be refused. The database decides about each call.
const manages = () => me.role === 'admin' || me.role === 'super_admin'
const link = (text, ...path) =>
  element('a', { href: `#/${path.map(encodeURIComponent).join('/')}` }, text)
const announce = (text) => notice.replaceChildren(text)

// Signing in --------------------------------------------------------------------------------

function signInView() {
  const problems = element('div', { class: 'problems' })
  const form = element('form', { class: 'card' },
    heading('Sign in'),
    element('p', { class: 'hint' }, 'For the platform’s staff.'),
    field('Email', input('email', 'email', { type: 'email', required: true, autocomplete: 'username' })),
    field('Password', input('password', 'password', {
      type: 'password', required: true, autocomplete: 'current-password',
    })),
    problems,
    element('button', { type: 'submit', class: 'primary' }, 'Sign in'))
  submits(form, problems, async ({ email, password }) => {
    await signIn(email, password)
    await start()
  })
  return { title: 'Sign in', nodes: [form], focus: form.elements.email }
}

function strangerView() {
  return {
    title: 'No access',
    nodes: [
      heading('This console is for platform staff'),
      element('p', {}, `${me.email} has no role on the platform.`),
      element('p', { class: 'hint' }, 'Ask a super_admin for one, or sign in as somebody else.'),
      button('Sign out', leave),
    ],
  }
}

// Tenants -----------------------------------------------------------------------------------

const TENANT_COLUMNS = [
  ['Name', (row) => link(row.display_name, 'tenants', row.schema_name)],
  ['Schema', (row) => code(row.schema_name)],
  ['Status', (row) => badge(row.status)],
  ['Version', (row) => code(row.schema_version)],
  ['Size', (row) => bytes(row.bytes)],
  ['Last activity', (row) => moment(row.last_activity_at)],
  ['Created', (row) => moment(row.created_at)],
]

const SORTS = {
  schema_name: 'Schema name',
  display_name: 'Name',
  'created_at.desc': 'Newest first',
  created_at: 'Oldest first',
  'bytes.desc': 'Largest first',
  'last_activity_at.desc': 'Last used first',
  last_activity_at: 'Longest unused first',
  schema_version: 'Version, oldest first',
  status: 'Status',
}

// Viewers may not ask for the state of the migrations.
const stuckTenants = async () => manages()
  ? (await call('tenant-migrations', 'get_migration_status', {})).stuck_tenants : []

async function tenantsView() {
  const list = element('div')
  const form = element('form', { role: 'search', class: 'search' },
    field('Name contains', input('search-text', 'text', { type: 'search', value: search.text })),
    field('Status', select('search-status', 'status',
      { '': 'Any', active: 'Active', suspended: 'Suspended' }, search.status)),
    field('Sort by', select('search-sort', 'sort', SORTS, search.sort)),
    element('button', { type: 'submit' }, 'Search'))
  const problems = element('div', { class: 'problems' })

  function filled() {
    const emptyText = search.text || search.status
      ? 'No tenant matches. Search for a shorter name, or for any status.'
      : 'There are no tenants yet.'
    const asked = { ...search }
    return fill(list, 'Tenants', 'tenant', TENANT_COLUMNS,
      (last, size) => tenants(asked, last, size), emptyText, announce)
  }

  submits(form, problems, async ({ text, status, sort }) => {
    Object.assign(search, { text: text.trim(), status, sort })
    announce(await filled())
  })
  const [stuck] = await Promise.all([stuckTenants(), filled()])
  return {
    title: 'Tenants',
    nodes: [
      element('div', { class: 'title' },
        heading('Tenants'), manages() ? button('New tenant', askForTenant, 'primary') : null),
      stuckPart(stuck, link), form, problems, list,
    ].filter(Boolean),
  }
}

function askForTenant() {
  ask('create', async ({ display_name, schema_name }) => {
    const given = schema_name.trim() ? { display_name, schema_name: schema_name.trim() } : { display_name }
    const made = await call('schema-management', 'create_tenant_schema', given)
    return () => go(`#/tenants/${encodeURIComponent(made.schema_name)}`, `${made.display_name} was created.`)
  })
}

// One tenant --------------------------------------------------------------------------------

const PARTS = {
  members: ['Members', membersPart],
  invitations: ['Invitations', invitationsPart],
  requests: ['Requests', requestsPart],
  domains: ['Domains', domainsPart],
  roles: ['Roles', rolesPart],
  tables: ['Tables', tablesPart],
  log: ['Admin log', (row) => adminLog(row.schema_name)],
  changes: ['Data changes', changesPart],
}
// Who may read a part that not everybody may.
const READERS = {
  invitations: manages,
  requests: manages,
  domains: manages,
  // Only admins of the tenant read its audit log; staff need access for that.
  changes: (info) => info.access_level === 'admin',
}

async function tenantView(name, part = 'members', ...rest) {
  if (!Object.hasOwn(PARTS, part)) return nowhereView()
  const [row, info, allStuck, grant] = await Promise.all([
    tenant(name), call('tenant-status', 'get_tenant_info', { schema_name: name }), stuckTenants(),
    ownGrant(name, me.id),
  ])
  const stuck = allStuck.find((each) => each.schema_name === name)
  const [label, nodesOf] = PARTS[part]
  // `access_level` is the signed-in user's own.
  const shown = await nodesOf({ ...info, ...row }, { manages: manages(), show, announce }, ...rest)
  const reads = Object.entries(PARTS).filter(([key]) => READERS[key]?.(info) ?? true)
  const opensSupport = manages() && info.access_level === null && row.status === 'active'
  return {
    title: `${label} · ${row.display_name}`,
    nodes: [
      element('p', { class: 'back' }, link('All tenants', 'tenants')),
      element('div', { class: 'title' },
        element('div', {}, heading(row.display_name), element('p', { class: 'under' }, code(row.schema_name), ' ', badge(row.status))),
        element('div', { class: 'buttons' },
          opensSupport ? openSupportButton(row, show) : null,
          manages() ? statusButton(row) : null)),
      isOpenSupport(grant) ? supportBanner(grant, show) : null,
      facts({
        ...(row.status === 'suspended'
          ? { Suspended: moment(row.suspended_at), Reason: row.suspension_reason ?? '–' } : {}),
        Created: moment(row.created_at),
        'Created by': person(row.created_by),
        Members: count(info.member_count),
        'Template version': code(row.schema_version),
        ...(stuck ? {
          'Stuck at': element('span', {}, code(stuck.version), ' since ', moment(stuck.stuck_since), `: ${stuck.message} (${stuck.sqlstate})`),
        } : {}),
      }),
      element('nav', { class: 'parts', 'aria-label': 'Parts of the tenant' },
        ...reads.map(([key, [text]]) => {
          const made = link(text, 'tenants', name, key)
          if (key === part) made.setAttribute('aria-current', 'page')
          return made
        })),
      element('section', { 'aria-labelledby': 'part' }, ...shown),
    ].filter(Boolean),
  }
}

function statusButton(row) {
  if (row.status === 'active') {
    return button('Suspend …', () => ask('suspend', async ({ reason }) => {
      await call('schema-management', 'suspend_tenant', { schema_name: row.schema_name, reason })
      return () => show(`${row.display_name} is suspended.`)
    }, `Suspend ${row.display_name}?`), 'danger')
  }
  const problems = element('div')
  let busy = false
  const press = button('Activate', async () => {
    if (busy) return
    busy = true
    problems.replaceChildren()
    try {
      await call('schema-management', 'activate_tenant', { schema_name: row.schema_name })
      await show(`${row.display_name} is active again.`)
    } catch (error) {
      problems.replaceChildren(problem(error))
    } finally {
      busy = false
    }
  }, 'primary')
  return element('div', {}, press, problems)
}

async function tablesPart(row, _, table = null) {
  if (table !== null) return columnsOf(row.schema_name, table)
  const tables = await call('schema-inspection', 'get_schema_tables', { schema_name: row.schema_name })
  return [
    partHeading('Tables'),
    rowsOf('Tables', [
      ['Table', (each) => link(each.table_name, 'tenants', row.schema_name, 'tables', each.table_name)],
      ['Columns', (each) => count(each.column_count)],
      ['Rows, about', (each) => count(each.row_estimate)],
      ['Size', (each) => bytes(each.total_bytes)],
      ['Description', (each) => each.description ?? '–'],
    ], tables, 'This tenant has no tables.'),
  ]
}

function defaultOf({ is_identity, column_default }) {
  if (is_identity) return 'numbered'
  return column_default === null ? '–' : code(column_default)
}

async function columnsOf(schema_name, table_name) {
  const given = { schema_name, table_name }
  const [columns, keys] = await Promise.all([
    call('schema-inspection', 'get_table_columns', given),
    call('schema-inspection', 'get_table_foreign_keys', given),
  ])
  return [
    element('p', { class: 'back' }, link('All tables', 'tenants', schema_name, 'tables')),
    partHeading('Columns of ', code(table_name)),
    rowsOf('Columns', [
      ['Column', (each) => code(each.column_name)],
      ['Type', (each) => code(each.data_type)],
      ['Null', (each) => each.is_nullable ? 'yes' : 'no'],
      ['Default', defaultOf],
      ['Key', (each) => each.is_primary_key ? 'primary' : '–'],
      ['Description', (each) => each.description ?? '–'],
    ], columns, 'This table has no columns.'),
    element('h3', {}, 'Foreign keys'),
    rowsOf('Foreign keys', [
      ['Name', (each) => code(each.constraint_name)],
      ['Columns', (each) => code(each.columns.join(', '))],
      ['References', (each) => code(`${each.foreign_table} (${each.foreign_columns.join(', ')})`)],
      ['On delete', (each) => each.on_delete.toLowerCase()],
      ['On update', (each) => each.on_update.toLowerCase()],
    ], keys, 'This table has no foreign keys.'),
  ]
}

async function changesPart(row) {
  const columns = [
    ['When', (each) => moment(each.occurred_at)],
    ['What', (each) => `${each.action} in ${each.table_name}`],
    ['Who', (each) => actor(each)],
    ['Row', (each) => code(JSON.stringify(each.record_id))],
    ['Values', (each) => json({ old: each.old_values, new: each.new_values })],
  ]
  return [
    partHeading('Changes of its rows'),
    await log('Data changes', columns, 'get_audit_log', { schema_name: row.schema_name }, 'No row was changed yet.'),
  ]
}

// The audit logs ----------------------------------------------------------------------------

function log(name, columns, operation, given, emptyText) {
  return pages(name, columns, (last, size) => call('audit-log', operation, {
    ...given, page_size: size, ...(last ? { before_id: last.id } : {}),
  }), emptyText, announce)
}

const actor = ({ actor_id, actor_role }) => actor_id === null
  ? actor_role : element('span', {}, code(actor_id), ` as ${actor_role}`)

async function adminLog(schema_name = null) {
  const columns = [
    ['When', (each) => moment(each.occurred_at)],
    ['What', (each) => code(each.action)],
    ['Tenant', (each) => each.schema_name === null ? '–' : code(each.schema_name)],
    ['Who', (each) => actor(each)],
    ['Request id', (each) => each.request_id === null ? '–' : code(each.request_id)],
    ['Details', (each) => json(each.details)],
  ].filter(([title]) => schema_name === null || title !== 'Tenant')
  return [
    ...(schema_name === null ? [] : [partHeading('What staff and tenant admins did')]),
    await log('Admin log', columns, 'get_admin_audit_log',
      schema_name === null ? {} : { schema_name }, 'Nothing has been done yet.'),
  ]
}

async function logView() {
  return {
    title: 'Admin log',
    nodes: [
      heading('Admin log'),
      element('p', { class: 'hint' }, 'What was done to tenants, grants and roles; newest first.'),
      ...await adminLog(),
    ],
  }
}

function nowhereView() {
  return {
    title: 'Not found',
    nodes: [heading('There is nothing here'), element('p', {}, link('All tenants', 'tenants'))],
  }
}

// Navigation --------------------------------------------------------------------------------

function view() {
  if (me === null) return signInView()
  if (me.role === null) return strangerView()
  const path = location.hash.replace(/^#\/?/, '').split('/').map(decoded)
  if (path[0] === '') return tenantsView()
  if (path[0] === 'tenants') return path[1] ? tenantView(...path.slice(1)) : tenantsView()
  if (path[0] === 'health') return healthView({ link, manages: manages(), show })
  if (path[0] === 'log') return logView()
  return nowhereView()
}

function decoded(part) {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

async function show(message = '') {
  const mine = ++turn
  notice.replaceChildren()
  content.replaceChildren(waiting())
  content.setAttribute('aria-busy', 'true')
  account.hidden = me === null
  sections.hidden = me === null || me.role === null
  const section = ['#/health', '#/log'].find((each) => location.hash.startsWith(each)) ?? '#/tenants'
  for (const each of sections.children) {
    if (each.getAttribute('href') === section) each.setAttribute('aria-current', 'page')
    else each.removeAttribute('aria-current')
  }
  document.getElementById('who').replaceChildren(me === null ? '' : `${me.email} · ${me.role ?? 'no role'}`)

  let shown
  try {
    shown = await view()
  } catch (error) {
    shown = failureView(error, () => show())
  }
  // The user has opened another view in the meantime.
  if (mine !== turn) return
  content.replaceChildren(...shown.nodes)
  content.removeAttribute('aria-busy')
  document.title = `${shown.title} · Tenantry console`
  window.scrollTo(0, 0)
  ;(shown.focus ?? content.querySelector('h1')).focus()
  if (message) announce(message)
}

function failureView(error, again) {
  return {
    title: 'Error',
    nodes: [heading('This could not be shown'), problem(error), button('Try again', again)],
  }
}

function go(hash, message) {
  history.pushState(null, '', hash)
  return show(message)
}

async function leave() {
  await signOut()
  forget()
}

function forget() {
  if (me === null) return
  me = null
  Object.assign(search, NO_SEARCH)
  forgetSearch()
  closeDialogs()
  history.replaceState(null, '', '#/tenants')
  show()
}

async function start() {
  me = await caller()
  await show()
}

async function boot() {
  content.replaceChildren(waiting())
  try {
    await connect()
    whenSignedOut(forget)
    await start()
  } catch (error) {
    content.replaceChildren(...failureView(error, () => location.reload()).nodes)
  }
}

window.addEventListener('hashchange', () => {
  // The link that skips to the content does not name a view.
  if (location.hash !== '#content') show()
})
document.getElementById('sign-out').addEventListener('click', leave)
boot()
