// The view "Health": versions, stuck tenants, roll-out, pool, room for more, growth, largest tenants.

import { bytes, code, count, element, facts, heading, moment } from './elements.js'
import { rowsOf } from './lists.js'
import { growth } from './plot.js'
import { call } from './project.js'
import { rollOut } from './rollout.js'

const section = (id, title, ...nodes) =>
  element('section', { 'aria-labelledby': id }, element('h2', { id }, title), ...nodes)

export function stuckPart(rows, link) {
  if (!rows.length) return null
  return section('stuck', 'Stuck tenants',
    element('p', { class: 'hint' }, 'Their next tenant migration has failed. They keep working, and stay behind.'),
    rowsOf('Stuck tenants', [
      ['Tenant', (row) => link(row.schema_name, 'tenants', row.schema_name)],
      ['At migration', (row) => code(row.version)],
      ['Since', (row) => moment(row.stuck_since)],
      ['Reason', (row) => `${row.message} (${row.sqlstate})`],
    ], rows, ''))
}

// Minutes and hours are rare here, and seconds compare with the forecast.
const seconds = (milliseconds) => `${count(Math.round(milliseconds / 100) / 10)} s`

function cacheLoad(load, forecast) {
  if (load === null) {
    return [element('p', { class: 'hint' },
      'The load of the schema cache was not measured yet. ', code('tenantry doctor'), ' measures it.')]
  }
  return [
    facts({
      'Load of the schema cache': seconds(load.milliseconds),
      'With tenants': count(load.tenants),
      Measured: moment(load.measured_at),
      'It may take': load.limit_milliseconds === null ? 'any time' : seconds(load.limit_milliseconds),
    }),
    element('p', { class: 'hint' },
      'A load that takes longer than it may is stopped, and then the Data API answers nobody. ',
      code('tenantry doctor'), ' measures a load.'),
    rowsOf('Forecast', [
      ['A load will take', (row) => `${count(row.seconds)} s`],
      ['With tenants', (row) => count(row.tenants)],
    ], forecast, 'There is no forecast before a load was measured with 300 tables.'),
  ]
}

function dumpLocks({ needed, available, most_tenants }) {
  const end = most_tenants === null ? '' : ` It runs out of them with about ${count(most_tenants)} tenants.`
  return element('p', {},
    `A dump of everything needs ${count(needed)} locks of the server's ${count(available)}.${end}`)
}

export async function healthView({ link, manages, show }) {
  const [found, pool] = await Promise.all([
    call('tenant-status', 'get_platform_health', {}),
    call('schema-management', 'get_tenant_pool', {}),
  ])
  return {
    title: 'Health',
    nodes: [
      heading('Health'),
      facts({
        Tenants: count(found.tenant_count),
        Active: count(found.active),
        Suspended: count(found.suspended),
        'Up to date': count(found.up_to_date),
        Behind: count(found.behind),
        Stuck: count(found.stuck),
        'Size on disk': bytes(found.total_bytes),
      }),
      stuckPart(found.stuck_tenants, link),
      manages && found.behind + pool.behind > 0 ? rollOut(show) : null,
      section('versions', 'Versions',
        rowsOf('Versions', [
          ['Version', (row) => code(row.version)],
          ['Name', (row) => row.name],
          ['Tenants', (row) => count(row.tenants)],
          ['Migrations behind', (row) => count(row.pending)],
        ], found.versions, 'There are no tenants yet.')),
      section('pool', 'Pool of ready tenants', facts({
        Size: count(pool.pool_size),
        Ready: count(pool.ready),
        'Ready soon': count(pool.waiting),
        Behind: count(pool.behind),
        Missing: count(pool.missing),
      })),
      section('room', 'Room for more tenants',
        ...cacheLoad(found.cache_load, found.cache_load_forecast), dumpLocks(found.dump_locks)),
      section('growth', 'Growth', ...growth(found.growth)),
      section('largest', 'Largest tenants',
        rowsOf('Largest tenants', [
          ['Name', (row) => link(row.display_name, 'tenants', row.schema_name)],
          ['Schema', (row) => code(row.schema_name)],
          ['Size', (row) => bytes(row.bytes)],
        ], found.largest_tenants, 'There are no tenants yet.'),
        element('p', { class: 'hint' }, 'Sizes are as of the last VACUUM or ANALYZE of each table.')),
    ].filter(Boolean),
  }
}
