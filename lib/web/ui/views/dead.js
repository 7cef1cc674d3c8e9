/* SPDX-License-Identifier: MIT */
/* Dead tasks, grouped by what went wrong; retried or deleted after a dry run. */
import {fill, h, u} from '../h.js';
import {get, mayWrite, post, query} from '../api.js';
import {clip, num, plural} from '../fmt.js';
import {gone} from '../live.js';
import {Pager} from '../pager.js';
import {action, announce, ask, badge, brief, button, card, copyAs, empty, link, problem, skeleton, taskLink, when} from '../parts.js';
import {SearchLine, filterOf, fixed, filterQuery} from '../search.js';
import {deadLine} from '../shell.js';
import {Table, bulkBar} from '../table.js';

const FIELDS = ['task', 'queue', 'reason', 'error', 'before'];

/* By selection, or everything that matches. */
async function change(verb, body, line, what) {
  const danger = verb === 'delete';
  return ask({title: `${danger ? 'Delete' : 'Retry'} ${what}?`, verb: danger ? 'Delete' : 'Retry', danger,
    text: danger ? 'Deleted tasks are gone for good.' : 'They go back into their queues, with all their attempts.',
    dry: async () => {
      const answer = await post(`dead/${verb}`, {...body, dry_run: true});
      if (answer.job) {
        for (;;) {
          const job = await get(`jobs/${encodeURIComponent(answer.job)}`);
          if (job.state !== 'running') return said(verb, job.result || {matched: job.done});
          await new Promise(r => setTimeout(r, 300));
        }
      }
      return said(verb, answer);
    }, request: {method: 'POST', path: `dead/${verb}`, body}, ctl: line,
    done: r => `${num(r.done)} ${danger ? 'deleted' : 'retried'}${r.refused ? `, ${num(r.refused)} refused` : ''}`});
}
const said = (verb, r) => r.matched ? `This would ${verb} ${plural(r.matched, 'task')}` +
  (r.refused ? `; ${num(r.refused)} would be refused, for they cannot be read.` : '.') : null;

function groups(list) {
  if (!list.items.length) return null;
  const max = Math.max(...list.items.map(g => g.count));
  const row = g => h('li', link(`dead${query({task: g.task, reason: g.reason, error: clip(g.error || '', 80).replace('…', '')})}`,
    h('span.grow', h('strong', u(clip(g.task || 'unreadable', 60))), h('span.sub', u(clip(g.error || '', 140)))), badge('failed', clip(g.reason || 'failed', 24)),
    h('span.bar', {'aria-hidden': 'true'}, h('span', {css: {'--part': g.count / max}})), h('strong.num', num(g.count)), when(g.last_at)));
  return card('By task and error', h('ul.rows', list.items.slice(0, 8).map(row)),
    list.items.length > 8 && h('details', h('summary', `${num(list.items.length - 8)} more groups`), h('ul.rows', list.items.slice(8, 100).map(row))),
  list.complete === false && h('p.dim', `Of the ${num(list.looked_at)} newest; there are more.`));
}

const columns = act => [
  {label: 'Task', wide: true, cell: t => [t.task_id ? h('a.strong', {href: `tasks/${encodeURIComponent(t.task_id)}`}, u(clip(t.task_name || 'unreadable', 60))) : h('a.strong', {href: `tasks/${encodeURIComponent(t.key)}`}, 'unreadable'), h('span.sub', taskLink(t.task_id || t.key))]},
  {label: 'Reason', cell: t => badge('failed', clip(t.reason || 'failed', 24))},
  {label: 'Error', cell: t => h('span.err', {title: clip(t.error, 400)}, u(clip(t.error, 110)))},
  {label: 'Arguments', cell: t => brief(t.args, t.kwargs)},
  {label: 'Queue', cell: t => h('a.cut', {href: `queues/${encodeURIComponent(t.queue)}`}, u(clip(t.queue, 40)))},
  {label: 'Attempts', num: true, cell: t => num(t.attempts)},
  {label: 'Died', num: true, cell: t => when(t.died_at)},
  {label: '', cell: t => [action('', 'retry', () => act('retry', [t.key || t.task_id]), {kind: 'ghost', key: 'r', title: 'Retry', 'aria-label': `Retry ${t.task_id || t.key}`}),
    action('', 'trash', () => act('delete', [t.key || t.task_id]), {kind: 'ghost', title: 'Delete', 'aria-label': `Delete ${t.task_id || t.key}`})]},
];

export async function view(ctx) {
  const filter = filterOf(ctx.query), once = fixed(filter), some = Object.keys(filter).length > 0;
  const to = f => ctx.go(`dead${query(f)}`);
  const line = new SearchLine({filter, allowed: FIELDS, example: 'task:resize reason:timeout error:"disk full" before:-1d',
    onSearch: ({filter: f, ids}) => ids.length ? ctx.go(`tasks/${encodeURIComponent(ids[0])}`) : to(f)});
  const reload = () => { loadGroups(); return pager.first(); };
  const act = async (verb, ids) => { if (await change(verb, {ids}, deadLine(verb, {}, ids.slice(0, 5).map(id => `'${id}'`)).replace(' --all', ''), ids.length === 1 ? clip(ids[0], 40) : plural(ids.length, 'dead task'))) { table.selectAll(false); reload(); } };
  const all = async verb => { if (await change(verb, {filter: once}, deadLine(verb, filter), some ? 'everything that matches' : 'all dead tasks')) reload(); };
  const table = new Table({caption: 'Dead tasks', key: t => t.key || t.task_id, select: mayWrite(), columns: columns(act),
    empty: some ? empty('Nothing matches', 'No dead task is like that.', link('dead', 'Without the filter')) : empty('No dead task', 'Tasks that failed for good, and data that is not a task, stay here until somebody decides.')});
  const bulk = table.select && bulkBar(table, button('Retry', 'retry', () => act('retry', [...table.selected]), {key: 'r'}),
    button('Delete', 'trash', () => act('delete', [...table.selected]), {kind: 'danger'}));
  const groupBox = h('div', skeleton(4));
  const loadGroups = () => get('dead/groups', {signal: ctx.signal}).then(list => { fill(groupBox, groups(list)); }, e => { if (e.name !== 'AbortError') fill(groupBox, problem(e, loadGroups)); });
  const pager = new Pager({signal: ctx.signal, noun: 'dead task', fetch: (cursor, signal) => get(`dead${filterQuery(once, {cursor, limit: 50})}`, {signal}), onRows: rows => table.update(rows)});
  ctx.head('Dead', [copyAs(() => ({ctl: deadLine('dead', filter), path: `dead${filterQuery(filter)}`})),
    action(some ? 'Retry all that match' : 'Retry all', 'retry', () => all('retry')), action(some ? 'Delete all that match' : 'Delete all', 'trash', () => all('delete'), {kind: 'danger'})]);
  ctx.show(line.el, some ? null : groupBox, bulk, h('section.card.flush', table.el, pager.el));
  if (!some) loadGroups();
  await pager.first();
  announce(`${plural(pager.rows.length, 'dead task')} shown`);
  let fresh = 0;
  ctx.watch(['dead'], (topic, data) => {
    const known = new Set(pager.rows.map(t => t.key || t.task_id));
    /* A snapshot that has not all tells of those that died after its oldest. */
    const since = data.next ? data.items.map(t => t.died_at).sort()[0] : '';
    const of = data.next ? pager.rows.filter(t => t.died_at > since).map(t => t.key || t.task_id) : [...known];
    const lost = new Set(gone({...data, next: null}, of, 'key'));
    if (lost.size) { pager.rows = pager.rows.filter(t => !lost.has(t.key || t.task_id)); table.update(pager.rows); }
    fresh = some ? 0 : (data.items || data.changed).filter(t => !known.has(t.key || t.task_id)).length + fresh;
    if (fresh && !table.selected.size) { fresh = 0; reload().catch(() => {}); }
  });
}
