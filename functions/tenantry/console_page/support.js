// Support access of the platform's staff: it has a reason, and ends by itself.

import { button, element, moment } from './elements.js'
import { askFor, field, input, levelField } from './forms.js'
import { call } from './project.js'

function timeLeft(end) {
  const seconds = Math.max(Math.ceil((new Date(end).getTime() - Date.now()) / 1000), 0)
  return seconds >= 120 ? `${Math.ceil(seconds / 60)} min left` : `${seconds} s left`
}

// Counts down while it is in the page, and calls `ended` once.
function countdown(end, ended = () => {}) {
  const shown = element('span', { role: 'timer' }, timeLeft(end))
  const timer = setInterval(() => {
    if (!shown.isConnected) {
      clearInterval(timer)
      return
    }
    const text = timeLeft(end)
    if (shown.textContent !== text) shown.replaceChildren(text)
    if (new Date(end) <= new Date()) {
      clearInterval(timer)
      ended()
    }
  }, 1000)
  return shown
}

export function supportBadge(row) {
  const isOver = new Date(row.expires_at) <= new Date()
  return element('div', {},
    element('span', { class: 'badge support' }, 'support access'), ' ',
    isOver ? null : countdown(row.expires_at),
    element('div', { class: 'under' }, row.support_reason))
}

export function closeSupport({ schema_name, user_id }, text, show) {
  askFor({
    title: 'End this support access?', text, submit: 'End support access', kind: 'danger',
  }, async () => {
    await call('access-control', 'close_support_access', { schema_name, user_id })
    return () => show('The support access has ended.')
  })
}

export function openSupportButton(tenant, show) {
  return button('Open support access …', () => askFor({
    title: `Open support access to ${tenant.display_name}?`,
    text: 'The tenant sees who opened it, why, and until when, and can end it at any time.',
    fields: [
      field('Reason', element('textarea', {
        id: 'asked-reason', name: 'reason', rows: 3, required: true, minlength: 3, maxlength: 500,
      }), { hint: 'The tenant reads it.' }),
      field('Minutes', input('asked-minutes', 'minutes', {
        type: 'number', required: true, min: 1, max: 240, step: 1, value: 60, inputmode: 'numeric',
      }), { hint: '1 to 240. It ends by itself.' }),
      levelField(),
    ],
    submit: 'Open support access',
  }, async ({ reason, minutes, access_level }) => {
    await call('access-control', 'open_support_access', {
      schema_name: tenant.schema_name, reason, minutes: Number(minutes), access_level,
    })
    return () => show('Support access is open.')
  }))
}

// `grant` is the signed-in user's own.
export function supportBanner(grant, show) {
  return element('section', { class: 'banner', 'aria-label': 'Your support access' },
    element('p', {},
      element('strong', {}, `You have support access (${grant.access_level}): `),
      countdown(grant.expires_at, () => show('The support access has ended.')),
      ', until ', moment(grant.expires_at), '.'),
    element('p', { class: 'under' }, grant.support_reason),
    button('Close support access', () => closeSupport(grant, 'You lose it at once.', show)))
}

export const isOpenSupport = (grant) =>
  grant !== null && grant.support_reason !== null && new Date(grant.expires_at) > new Date()
