/* SPDX-License-Identifier: MIT */
/* One schedule: its fires, past and next, and its settings. */
import {fill, h, u} from '../h.js';
import {json} from '../code.js';
import {at, get, query} from '../api.js';
import {between, clip, dur, plural, word} from '../fmt.js';
import {fireList} from '../fires.js';
import {gone} from '../live.js';
import {Pager} from '../pager.js';
import {badge, card, copyAs, empty, kv, link, problem, skeleton, taskLink, when} from '../parts.js';
import {ctl} from '../shell.js';
import {Table} from '../table.js';
import {scheduleActions} from './schedules.js';

const fireTable = () => new Table({caption: 'Past fires', key: f => f.fire_at, columns: [
  {label: 'Fire', cell: f => when(f.fire_at, true)}, {label: 'Outcome', cell: f => [badge(f.outcome), f.reason && h('span.sub', u(clip(f.reason, 60)))]},
  {label: 'Task or workflow', cell: f => f.workflow ? h('a.mono', {href: at`workflows/${f.workflow}`}, u(clip(f.workflow, 60))) : f.task_id ? taskLink(f.task_id) : '–'}, {label: 'Its state', cell: f => f.status ? badge(f.status) : '–'},
  {label: 'Late by', num: true, cell: f => dur(between(f.fire_at, f.sent_at))}],
empty: empty('It has not fired yet', 'Each fire shows here with its task or workflow, as long as [scheduler] history says.')});

const policies = s => card('Settings', kv([['Rule', u(clip(s.words || s.rule, 120))], [s.type === 'cron' ? 'Expression' : 'Written', h('code', u(clip(s.rule, 100)))], ['Zone', u(s.tz)],
  ['Queue', s.queue ? h('a', {href: at`queues/${s.queue}`}, u(clip(s.queue, 60))) : "the task's own"], s.group && ['Group', u(clip(s.group, 60))], ['Misfires', s.misfire], ['Overlap', s.overlap],
  s.grace !== null && ['Grace', dur(s.grace)], s.jitter ? ['Jitter', dur(s.jitter)] : null, s.start_at && ['From', when(s.start_at, true)], s.end_at && ['Until', when(s.end_at, true)],
  s.max_runs ? ['At most', plural(s.max_runs, 'run')] : null, ['Created', when(s.created_at, true)], ['Changed', when(s.updated_at, true)]]));

/* Each behind those that it comes after. */
const steps = w => kv(w.steps.slice(0, 50).map(one => [clip(one.id, 60), [h('code', u(clip(one.name, 60))), h('span.sub', u(clip(one.on ? `on ${one.on}` : one.after ? `after ${one.after.map(a => a.replace(/:success$/, '')).join(', ')}` : 'first', 120)))]]));

export async function view(ctx) {
  const [id] = ctx.params, path = at`schedules/${id}`;
  const s = await get(path, {signal: ctx.signal});
  const next = h('div', skeleton(4)), table = fireTable();
  const pager = new Pager({signal: ctx.signal, noun: 'fire', fetch: (cursor, signal) => get(`${path}/fires${query({cursor, limit: 50})}`, {signal}), onRows: rows => table.update(rows)});
  ctx.head(clip(s.task, 80), [copyAs(() => ({ctl: ctl('schedule', 'show', word(id)), path})),
    scheduleActions(s, what => what === 'deleted' ? ctx.go('schedules') : ctx.reload())],
  h('p.sub', link('schedules', 'Schedules'), ' ', badge(s.state), ' ', h('code', u(clip(id, 60)))));
  ctx.show(s.fault && h('div.banner', {'data-state': 'failed'}, badge('failed', 'set aside'), u(clip(s.fault, 300)), ' – edit it, then enable it.'),
    s.description && h('p', u(clip(s.description, 400))), h('div.split', h('div.stack', card('Next fires', next), h('section.card.flush', {'aria-label': 'Past fires'}, h('h2', 'Past fires'), table.el, pager.el)),
      h('div.stack', policies(s), ...(s.workflow ? [card('Workflow', steps(s.workflow), json(s.workflow, 'workflow'))] : [card('Arguments', json(s.args, 'arguments')), card('Keyword arguments', json(s.kwargs, 'keyword arguments'))]))));
  get(`${path}/next?n=10`, {signal: ctx.signal}).then(n => fill(next, fireList(n)), e => { if (e.name !== 'AbortError') fill(next, problem(e)); });
  await pager.first();
  ctx.watch(['schedules'], (topic, data) => {
    if ((data.items || data.changed).some(one => one.id === id && one.updated_at !== s.updated_at)) ctx.reload();
    /* Or it is not among those that are pushed any more. */
    else if (gone(data, [id], 'id').length) get(path, {signal: ctx.signal}).catch(e => { if (e.name !== 'AbortError') ctx.reload(); });
  });
}
