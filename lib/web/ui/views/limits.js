/* SPDX-License-Identifier: MIT */
/* Limits of queues: how many tasks run at once, or start in a time, and what is held. */
import {h, u} from '../h.js';
import {get, post, query} from '../api.js';
import {clip, dur, num, plural, word} from '../fmt.js';
import {blame, field} from '../forms.js';
import {applyRows} from '../live.js';
import {action, announce, ask, badge, button, copyAs, empty, link, modal, toast, when} from '../parts.js';
import {ctl} from '../shell.js';
import {Table} from '../table.js';

const scopes = {queue: 'the queue', task: 'tasks named', group: 'group', each_group: 'each group'};
const nameOf = l => `${scopes[l.scope] || l.scope}${l.key === null ? '' : ` ${clip(l.key, 60)}`}`;
const rateOf = l => l.rate === null ? '–' : `${num(l.rate)} in ${dur(l.period)}${l.burst > 1 ? `, ${num(l.burst)} at once` : ''}`;
const target = l => ({queue: l.queue, ...(l.scope === 'task' ? {task: l.key} : l.scope === 'group' ? {group: l.key} : l.scope === 'each_group' ? {each_group: true} : {})});
const options = l => l.scope === 'task' ? ['--task', word(l.key)] : l.scope === 'group' ? ['--group', word(l.key)] : l.scope === 'each_group' ? ['--each-group'] : [];

function unsetButton(l, after) {
  return action('', 'trash', async () => {
    if (await ask({title: `Take away the limit of ${nameOf(l)}?`, verb: 'Take away', danger: true,
      text: `What it holds in queue ${clip(l.queue, 60)} starts.${l.declared_by ? ' Workers do not bring it back.' : ''}`,
      request: {method: 'POST', path: 'limits/unset', body: target(l)}, ctl: ctl('limit', 'unset', word(l.queue), ...options(l)), done: 'Limit taken away'})) after();
  }, {kind: 'ghost', title: 'Take away', 'aria-label': `Take away the limit of ${nameOf(l)} in queue ${clip(l.queue, 60)}`});
}

const input = (value, more) => h('input', {value: value ?? '', spellcheck: 'false', autocomplete: 'off', ...more});

/* Of a limit that is there, the numbers alone; else what it is of, too. */
function setDialog(l, after) {
  const queue = field({label: 'Queue', required: true, fault: 'queue'}, input(l?.queue, {maxlength: 128, disabled: !!l}));
  const scope = field({label: 'Limits'}, h('select', {disabled: !!l}, Object.entries(scopes).map(([value, text]) => h('option', {value, selected: value === l?.scope}, text))));
  const key = field({label: 'Name or group', fault: 'key'}, input(l?.key, {maxlength: 200, disabled: !!l}));
  const by = field({label: 'Group stands at', help: 'For tasks that name none: kwargs.NAME or args.NUMBER', fault: 'by'}, input('', {maxlength: 200}));
  const most = field({label: 'Run at once', fault: 'concurrency'}, input(l?.concurrency, {type: 'number', min: 1, max: 1000000}));
  const rate = field({label: 'Start in a time', help: 'As 100/1m', fault: 'rate'}, input(l && l.rate !== null ? `${l.rate}/${l.period}s` : '', {maxlength: 60}));
  const burst = field({label: 'At once after a pause', fault: 'burst'}, input(l?.burst, {type: 'number', min: 1, max: 1000000}));
  const status = h('div.status', {'aria-live': 'polite'});
  const grouped = () => ['group', 'each_group'].includes(scope.control.value);
  const show = () => {
    key.hidden = !['task', 'group'].includes(scope.control.value);
    by.hidden = !grouped();
  };
  const body = () => ({...target({queue: queue.control.value.trim(), scope: scope.control.value, key: key.control.value}),
    ...(grouped() && by.control.value.trim() && {by: by.control.value.trim()}), ...(most.control.value && {concurrency: Number(most.control.value)}),
    ...(rate.control.value.trim() && {rate: rate.control.value.trim(), ...(burst.control.value && {burst: Number(burst.control.value)})})});
  const form = h('form', {method: 'dialog', onsubmit: async event => {
    event.preventDefault();
    try {
      await post('limits', body());
      dialog.close();
      toast('Limit set');
      after();
    } catch (error) { blame(form, error); status.textContent = error.message; }
  }}, h('div.fields', queue, scope, key, by, most, rate, burst), status,
  h('footer', button('Cancel', null, () => dialog.close()), h('button.primary', {type: 'submit'}, 'Set')));
  const dialog = modal(l ? `Limit of ${nameOf(l)} in queue ${clip(l.queue, 60)}` : 'Set a limit', form);
  scope.control.addEventListener('change', show);
  show();
  dialog.showModal();
  (l ? most : queue).control.focus();
}

export async function view(ctx) {
  const rows = new Map();
  ctx.head('Limits', [copyAs(() => ({ctl: ctl('limit', 'list'), path: 'limits'})), action('Set a limit', 'enqueue', () => setDialog(null, load))]);
  const table = new Table({caption: 'Limits', key: l => l.id, columns: [
    {label: 'Queue', wide: true, cell: l => link(`queues/${encodeURIComponent(l.queue)}`, u(clip(l.queue, 80)))},
    {label: 'Limits', cell: l => [scopes[l.scope] || l.scope, l.key !== null && [' ', h('strong', u(clip(l.key, 80)))], ['group', 'each_group'].includes(l.scope) && l.by && h('span.dim', ` by ${clip(l.by, 60)}`)]},
    {label: 'At once', num: true, cell: l => num(l.concurrency)},
    {label: 'Rate', num: true, cell: rateOf},
    {label: 'Running', num: true, cell: l => l.scope === 'each_group' ? '–' : num(l.running)},
    {label: 'Held', num: true, cell: l => l.held ? link(`tasks${query({state: 'pending', queue: l.queue})}`, h('strong', num(l.held))) : '0'},
    {label: 'Holds since', cell: l => when(l.held_since)},
    {label: 'From', cell: l => l.declared_by ? [u(clip(l.declared_by, 60)), l.disputed_by && [' ', badge('warning', `not as ${clip(l.disputed_by, 60)} has it`)]] : 'a command'},
    {label: '', cell: l => [action('', 'edit', () => setDialog(l, load), {kind: 'ghost', title: 'Change', 'aria-label': `Change the limit of ${nameOf(l)} in queue ${clip(l.queue, 60)}`}), unsetButton(l, load)]},
  ], empty: empty('No limit yet', 'flowrractl limit set, or concurrency in the section of a task, makes one.')});
  ctx.show(h('section.card.flush', table.el));
  const draw = () => {
    table.update([...rows.values()].sort((a, b) => a.id < b.id ? -1 : 1));
    announce(`${plural(rows.size, 'limit')}, ${num([...rows.values()].reduce((n, l) => n + l.held, 0))} tasks held`);
  };
  async function load() {
    applyRows(rows, await get('limits', {signal: ctx.signal}), 'id');
    draw();
  }
  await load();
  ctx.watch(['limits'], (topic, data) => { applyRows(rows, data, 'id'); draw(); });
}
