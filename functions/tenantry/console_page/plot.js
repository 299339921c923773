// The growth as a line: an SVG for the eye, its sentence for a screen reader, a table for both.

import { count, element } from './elements.js'
import { rowsOf } from './lists.js'

const WIDTH = 640
const HEIGHT = 180
const LEFT = 48
const BOTTOM = 24
const TOP = 12

function drawn(name, attributes, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value))
  made.append(...children)
  return made
}

// The days are UTC. Without the zone a browser would show the day before in America.
const days = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeZone: 'UTC' })
const dayOf = (row) => days.format(new Date(`${row.day}T00:00:00Z`))

// A step of 1, 2 or 5 times a power of ten, so that the axis has whole tenants and few lines.
function stepOf(highest) {
  const rough = Math.max(highest / 4, 1)
  const power = 10 ** Math.floor(Math.log10(rough))
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough)
}

export function growth(rows) {
  const highest = Math.max(...rows.map((row) => row.tenants))
  const step = stepOf(highest)
  const top = Math.max(Math.ceil(highest / step) * step, step)
  const x = (index) => LEFT + (index / Math.max(rows.length - 1, 1)) * (WIDTH - LEFT - 8)
  const y = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM)
  const lines = []
  for (let value = 0; value <= top; value += step) {
    lines.push(
      drawn('line', { x1: LEFT, x2: WIDTH - 8, y1: y(value), y2: y(value), class: 'grid' }),
      drawn('text', { x: LEFT - 8, y: y(value) + 4, 'text-anchor': 'end' }, count(value)))
  }
  const [first, last] = [rows[0], rows.at(-1)]
  const sentence = `Tenants from ${dayOf(first)} to ${dayOf(last)}: ${count(first.tenants)} at the start, `
    + `${count(last.tenants)} at the end, ${count(highest)} at most.`
  const changes = rows.filter((row) => row.created || row.deleted).reverse()
  return [
    element('figure', {},
      drawn('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', 'aria-label': sentence },
        ...lines,
        drawn('text', { x: LEFT, y: HEIGHT - 6 }, dayOf(first)),
        drawn('text', { x: WIDTH - 8, y: HEIGHT - 6, 'text-anchor': 'end' }, dayOf(last)),
        drawn('polyline', { points: rows.map((row, index) => `${x(index)},${y(row.tenants)}`).join(' ') })),
      element('figcaption', { class: 'hint' }, sentence)),
    element('details', {},
      element('summary', {}, 'Days with changes'),
      rowsOf('Days with changes', [
        ['Day', dayOf],
        ['Created', (row) => count(row.created)],
        ['Deleted', (row) => count(row.deleted)],
        ['Tenants', (row) => count(row.tenants)],
      ], changes, 'No tenant was created or deleted in this time.')),
  ]
}
