/* SPDX-License-Identifier: MIT */
/* Schedules: what fires when. */
import {h, u} from '../h.js';
import {at, del, get, mayWrite, post, query} from '../api.js';
import {clip, num, word} from '../fmt.js';
import {spark} from '../figures.js';
import {icon} from '../icons.js';
import {applyRows, gone} from '../live.js';
import {Pager} from '../pager.js';
import {action, ask, badge, copyAs, empty, link, linkButton, tabs, toast, when} from '../parts.js';
import {ctl} from '../shell.js';
import {Table} from '../table.js';

/* after() runs once it is done. */
export function scheduleActions(s, after, short) {
  const id = s.id, verb = s.enabled ? 'disable' : 'enable', kind = short ? 'ghost' : 'plain';
  const name = text => ({kind, title: text, 'aria-label': `${text} ${clip(id, 60)}`});
  const act = async (path, done) => {
    try { await post(path); toast(done); after(); } catch (error) { toast(error.message, 'bad'); }
  };
  return [
    action(short ? '' : 'Run now', 'play', async () => {
      const answer = await ask({title: `Run ${clip(s.task, 50)} now?`, verb: 'Run now', text: s.workflow ? 'Its workflow is begun once, with an ID of its own. The schedule does not change.' : 'Its task is submitted once, with an ID of its own. The schedule does not change.',
        request: {method: 'POST', path: at`schedules/${id}/run`}, ctl: ctl('schedule', 'run', word(id)), done: r => `Submitted ${clip(r.workflow || r.task_id || r.id, 40)}`});
      if (answer) after();
    }, name('Run now')),
    action(short ? '' : verb === 'enable' ? 'Enable' : 'Disable', verb === 'enable' ? 'success' : 'pause', () => act(at`schedules/${id}/${verb}`, `Schedule ${verb}d`), name(verb === 'enable' ? 'Enable' : 'Disable')),
    !short && mayWrite() && linkButton('Edit', 'edit', at`schedules/${id}/edit`),
    !short && action('Delete', 'trash', async () => {
      if (await ask({title: `Delete schedule ${clip(id, 40)}?`, verb: 'Delete', danger: true, text: 'It does not fire again. Fires that were claimed already are still sent.',
        run: () => del(at`schedules/${id}`).then(() => ({})), request: {method: 'DELETE', path: at`schedules/${id}`}, ctl: ctl('schedule', 'delete', word(id)), done: 'Schedule deleted'})) after('deleted');
    }, {kind: 'danger'}),
  ];
}

const columns = reload => [
  {label: 'Schedule', wide: true, cell: s => [h('a.strong', {href: at`schedules/${s.id}`}, u(clip(s.task, 60))), s.workflow && h('span.dim', ' workflow'), h('span.sub', u(clip(s.description || s.id, 80)))]},
  {label: 'State', cell: s => badge(s.state)},
  {label: 'Rule', wide: true, cell: s => [h('span', u(clip(s.words || s.rule, 80))), h('span.sub', h('code', u(clip(s.rule, 60))), s.tz !== 'UTC' && [' ', u(clip(s.tz, 40))])]},
  {label: 'Next', num: true, cell: s => when(s.next_run)},
  {label: 'Last', num: true, cell: s => when(s.last_run)},
  {label: 'Runs', num: true, cell: s => s.max_runs ? `${num(s.runs)} of ${num(s.max_runs)}` : num(s.runs)},
  {label: 'Recent', cell: s => spark(s.spark, 'runs')},
  {label: 'Missed', num: true, cell: s => s.missed ? badge('warning', num(s.missed)) : '0'},
  {label: '', cell: s => scheduleActions(s, reload, true)},
];

export async function view(ctx) {
  const q = ctx.query, rows = new Map();
  const filter = {enabled: q.get('enabled'), task: q.get('task'), text: q.get('text'), order: q.get('order') || 'next'};
  const own = members => query({...filter, order: filter.order === 'next' ? null : filter.order, ...members});
  const reload = () => pager.first();
  const plainly = !filter.enabled && !filter.task && !filter.text;
  const table = new Table({caption: 'Schedules', key: s => s.id, columns: columns(reload), empty: plainly ?
    empty('No schedule yet', 'A schedule submits a task by a cron expression, a period, or once.', mayWrite() && link('schedules/new', 'Make one'),
      h('p', h('code', "flowrractl schedule cron add '0 9 * * MON-FRI' --args '[2,3]'"))) :
    empty('Nothing matches', 'No schedule is like that.', link('schedules', 'Show all'))});
  const pager = new Pager({signal: ctx.signal, noun: 'schedule', fetch: (cursor, signal) => get(`schedules${query({...filter, spark: true, cursor, limit: 50})}`, {signal}),
    onRows: list => { rows.clear(); list.forEach(s => rows.set(s.id, s)); table.update(list); }});
  ctx.head('Schedules', [copyAs(() => ({ctl: ctl('schedule', 'list', filter.enabled === 'true' && '--enabled', filter.enabled === 'false' && '--disabled',
    filter.task && `--task ${word(filter.task)}`), path: `schedules${query(filter)}`})), linkButton('Calendar', 'calendar', 'calendar'),
  mayWrite() && linkButton('New schedule', 'enqueue', 'schedules/new', {kind: 'primary', key: 'n'})]);
  const form = h('form.search', {role: 'search', onsubmit: event => { event.preventDefault(); ctx.go(`schedules${own({text: event.target.text.value})}`); }},
    icon('search'), h('input', {type: 'search', name: 'text', value: filter.text || '', 'data-search': '', 'aria-label': 'Search schedules', placeholder: 'Task, ID or description'}), h('kbd', {'aria-hidden': 'true'}, '/'));
  ctx.show(h('div.row', tabs('State', [['', 'All'], ['true', 'Enabled'], ['false', 'Disabled']], filter.enabled || '', enabled => ctx.go(`schedules${own({enabled})}`)),
    tabs('Order', [['next', 'By next run'], ['id', 'By ID']], filter.order, order => ctx.go(`schedules${own({order: order === 'next' ? null : order})}`)), form),
  h('section.card.flush', table.el, pager.el));
  await pager.first();
  ctx.watch(['schedules'], (topic, data) => {
    /* What is pushed has no counts of fires: those of the list stay. */
    const changed = (data.items || data.changed || []).filter(s => rows.has(s.id) || plainly)
      .map(s => ({...s, spark: s.spark ?? rows.get(s.id)?.spark, missed: s.missed ?? rows.get(s.id)?.missed}));
    applyRows(rows, {changed, removed: gone(data, [...rows.keys()], 'id')}, 'id');
    table.update([...rows.values()]);
  });
}
