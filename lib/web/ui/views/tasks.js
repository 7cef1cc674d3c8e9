/* SPDX-License-Identifier: MIT */
/* Tasks by their state, with the search line; selection and bulk. */
import {fill, h, u} from '../h.js';
import {at, get, mayWrite} from '../api.js';
import {between, clip, dur, num, plural} from '../fmt.js';
import {gone} from '../live.js';
import {Pager} from '../pager.js';
import {action, announce, badge, brief, button, copyAs, empty, firstTask, link, problem, progress, taskLink, tabs, when} from '../parts.js';
import {SearchLine, filterOf, filterQuery, fixed} from '../search.js';
import {tasksLine} from '../shell.js';
import {Table, bulkBar} from '../table.js';
import {VERBS, actOn} from '../verbs.js';

const STATES = [['pending', 'Pending', 'waiting'], ['delayed', 'Delayed', 'delayed'], ['running', 'Running', 'in_flight'],
  ['retrying', 'Retrying'], ['success', 'Succeeded', 'succeeded'], ['failed', 'Failed', 'failed']];

function columns(state, reload) {
  const time = {pending: ['Submitted', 'submitted_at'], delayed: ['Due', 'due_at'], running: ['Started', 'started_at'],
    retrying: ['Due', 'due_at'], success: ['Finished', 'finished_at'], failed: ['Finished', 'finished_at']}[state];
  const act = {pending: ['cancel'], delayed: ['run', 'cancel'], running: ['cancel'], retrying: ['run', 'cancel'], failed: ['retry', 'delete'], success: ['delete']}[state];
  return [
    {label: 'Task', wide: true, cell: t => [h('a.strong', {href: at`tasks/${t.task_id || ''}`}, u(clip(t.task_name || 'unreadable', 60))), h('span.sub', taskLink(t.task_id))]},
    state === 'failed' ? {label: 'Reason', cell: t => badge('failed', t.reason ? clip(t.reason, 24) : null)} : null,
    {label: 'Arguments', cell: t => brief(t.args, t.kwargs)},
    {label: 'Queue', cell: t => h('a.cut', {href: at`queues/${t.queue}`}, u(clip(t.queue, 40)))},
    state === 'running' ? {label: 'Progress', cell: t => progress(t.progress) || h('span.dim', '–')} : null,
    state === 'failed' || state === 'retrying' ? {label: 'Error', cell: t => h('span.err', {title: clip(t.error, 400)}, u(clip(t.error, 90)))} : null,
    ['running', 'success'].includes(state) ? {label: 'Worker', cell: t => t.worker ? h('a.dim.cut', {href: at`workers/${t.worker}`}, u(clip(t.worker, 40))) : '–'} : null,
    state === 'success' ? {label: 'Took', num: true, cell: t => dur(between(t.started_at, t.finished_at))} : null,
    state === 'failed' || state === 'running' ? null : state === 'pending' ? {label: 'Priority', num: true, cell: t => num(t.priority)} : {label: 'Retries', num: true, cell: t => t.max_retries ? `${num(t.retries)} of ${num(t.max_retries)}` : num(t.retries)},
    {label: time[0], num: true, cell: t => when(t[time[1]])},
    {label: '', cell: t => t.task_id ? act.map(verb => action('', VERBS[verb].sign, async () => {
      if (await actOn(verb, [t.task_id])) reload();
    }, {kind: 'ghost', key: VERBS[verb].key, title: VERBS[verb].title, 'aria-label': `${VERBS[verb].title} ${t.task_id}`})) : null},
  ].filter(Boolean);
}

/* The same as the list's filter, for rows that come by push. */
const fits = (t, f) => (!f.task || t.task_name?.includes(f.task)) && (!f.queue || t.queue === f.queue) && (!f.worker || t.worker === f.worker);

async function byId(ctx, line, ids) {
  if (ids.length > 1) return line.say('Only one ID at a time; other words need a field: task:resize');
  try {
    await get(at`tasks/${ids[0]}`, {signal: ctx.signal});
    ctx.go(at`tasks/${ids[0]}`);
  } catch (error) {
    line.say(error.status === 404 ? `No task has the ID "${clip(ids[0], 60)}". To search, name a field: task:${clip(ids[0], 20)}` : error.message);
  }
}

function emptyOf(state, filter) {
  if (Object.keys(filter).length) return empty('Nothing matches', 'The filter is in the line above; take a word out to see more.', link(`tasks?state=${state}`, 'Without the filter'));
  const texts = {pending: ['Nothing waits', 'Tasks show here from their submission until a worker takes them.'],
    delayed: ['Nothing is delayed', 'Tasks with a delay, and schedules that are late, show here.'], running: ['Nothing runs', 'Tasks that workers hold show here, with their progress.'],
    retrying: ['Nothing waits for a retry', 'Tasks that failed and have attempts left show here.'],
    success: ['Nothing has succeeded yet', 'Records are kept as long as [backend] result_ttl says.'], failed: ['Nothing has failed', 'Tasks that failed for good show here; those that may be retried are on Dead too.']};
  return empty(...texts[state], state === 'pending' && firstTask());
}

function counters(ctx, stateNow, pick) {
  const box = h('div');
  /* Later only the numbers: a button that is replaced between press and release is not clicked. */
  const draw = stats => {
    const counts = box.querySelectorAll('.count'), shown = STATES.map(([,, from]) => stats?.[from]).filter(n => n != null);
    if (counts.length && counts.length === shown.length) counts.forEach((el, i) => { el.textContent = num(shown[i]); });
    else fill(box, tabs('State', STATES.map(([id, name, from]) => [id, name, stats?.[from]]), stateNow, pick));
    box.stats = stats;
  };
  draw();
  get('overview', {signal: ctx.signal}).then(o => draw(o.stats), () => {});
  return Object.assign(box, {draw});
}

export async function view(ctx) {
  const wanted = ctx.query.get('state'), state = STATES.some(([id]) => id === wanted) ? wanted : 'pending';
  const filter = filterOf(ctx.query), held = new Map();
  const states = new Map(), tab = counters(ctx, state, to => ctx.go(`tasks${filterPart({state: to, ...filter})}`));
  const line = new SearchLine({filter, example: 'task:resize queue:io error:"disk full" args.user.id:42 after:-2h, or an ID',
    onSearch: ({filter: to, ids}) => ids.length ? byId(ctx, line, ids) : ctx.go(`tasks${filterPart({state, ...to})}`)});
  const reload = () => pager.first().catch(fail);
  const table = new Table({caption: `${STATES.find(([id]) => id === state)[1]} tasks`, key: t => t.task_id || t.key || JSON.stringify(t).slice(0, 80),
    select: mayWrite(), columns: columns(state, reload), empty: emptyOf(state, filter)});
  const bulk = table.select && bulkBar(table, Object.entries(VERBS).filter(([, v]) => v.states.includes(state)).map(([verb, v]) =>
    button(v.title, v.sign, async () => {
      if (await actOn(verb, [...table.selected], states)) { table.selectAll(false); reload(); }
    }, {key: v.key, kind: v.danger ? 'danger' : 'plain'})));
  const fresh = h('div.fresh'), trouble = h('div'), once = fixed(filter);
  const fail = error => fill(trouble, error ? problem(error, reload) : null);
  const pager = new Pager({signal: ctx.signal, total: () => tab.stats?.[STATES.find(([id]) => id === state)[2]],
    fetch: (cursor, signal) => get(`tasks${filterQuery(once, {state, cursor, limit: 50})}`, {signal}),
    onRows: rows => { rows.forEach(t => states.set(t.task_id, t.state || state)); table.update(rows); }});
  ctx.head('Tasks', [copyAs(() => ({ctl: tasksLine(state, filter), path: `tasks${filterQuery(filter, {state})}`})),
    action('Enqueue', 'enqueue', () => ctx.go('enqueue'), {kind: 'primary', key: 'n'})]);
  ctx.show(tab, line.el, bulk, fresh, trouble, h('section.card.flush', table.el, pager.el));
  await pager.first();
  announce(`${plural(pager.rows.length, 'task')} shown`);
  /* What runs changes all the time: rows in view are brought up to date, new
   * ones wait until they are asked for, so that nothing jumps. */
  ctx.watch(state === 'running' ? ['running'] : ['overview'], (topic, data) => {
    if (topic === 'overview') return tab.draw(data.stats);
    live(data, {table, pager, held, fresh, filter});
  });
}

function live(data, {table, pager, held, fresh, filter}) {
  const rows = data.items || data.changed || [];
  const shown = new Map(pager.rows.map(t => [t.task_id, t]));
  for (const t of rows)
    if (shown.has(t.task_id)) shown.set(t.task_id, t);
    else if (fits(t, filter)) held.set(t.task_id, t);
  gone(data, [...shown.keys(), ...held.keys()], 'task_id').forEach(id => { shown.delete(id); held.delete(id); });
  pager.rows = [...shown.values()];
  table.update(pager.rows);
  fill(fresh, held.size ? button(`${num(held.size)} new`, 'reload', () => {
    pager.rows = [...held.values(), ...pager.rows];
    held.clear();
    table.update(pager.rows);
    fill(fresh, null);
  }, {kind: 'primary'}) : null);
  announce(`${plural(pager.rows.length + held.size, 'task')} running`);
}

const filterPart = members => {
  const text = new URLSearchParams(Object.entries(members).filter(([, v]) => v)).toString();
  return text ? '?' + text : '';
};
