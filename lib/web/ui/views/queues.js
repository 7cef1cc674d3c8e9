/* SPDX-License-Identifier: MIT */
/* Queues, and one queue. */
import {fill, h, u} from '../h.js';
import {at, get, post, query} from '../api.js';
import {clip, dur, num, plural, short, word} from '../fmt.js';
import {throughput} from '../charts.js';
import {meter, spark, tile} from '../figures.js';
import {applyRows} from '../live.js';
import {action, announce, ask, badge, card, copyAs, empty, firstTask, kv, link, when} from '../parts.js';
import {ctl} from '../shell.js';
import {Table} from '../table.js';

/* In a row of a table the icon alone. */
const look = (short, verb, name) => ({kind: short ? 'ghost' : verb === 'Purge' ? 'danger' : 'plain', title: verb, 'aria-label': `${verb} ${clip(name, 60)}`});

function pauseButton(q, after, short) {
  const verb = q.paused ? 'resume' : 'pause', name = q.queue;
  return action(short ? '' : q.paused ? 'Resume' : 'Pause', q.paused ? 'play' : 'pause', async () => {
    if (await ask({title: `${q.paused ? 'Resume' : 'Pause'} queue ${clip(name, 60)}?`, verb: q.paused ? 'Resume' : 'Pause',
      text: q.paused ? 'Workers will take its tasks again.' : 'Workers will start no more of its tasks. Those that run go on; new ones are accepted and wait.',
      request: {method: 'POST', path: at`queues/${name}/${verb}`}, ctl: ctl('queue', verb, word(name)), done: `Queue ${verb}d`})) after();
  }, look(short, q.paused ? 'Resume' : 'Pause', name));
}

function purgeButton(q, after, short) {
  const name = q.queue, path = at`queues/${name}/purge`;
  return action(short ? '' : 'Purge', 'trash', async () => {
    if (await ask({title: `Purge queue ${clip(name, 60)}?`, verb: 'Purge', danger: true, type: name,
      text: 'Each waiting and delayed task is taken out and fails with the reason "cancelled".',
      dry: async () => {
        const {purged} = await post(path, {dry_run: true, confirm: name});
        return purged ? `This would take out ${plural(purged, 'task')}.` : null;
      }, request: {method: 'POST', path, body: {confirm: name}}, ctl: ctl('queue', 'purge', word(name)),
      done: r => `${plural(r.purged ?? 0, 'task')} taken out`})) after();
  }, look(short, 'Purge', name));
}

export async function view(ctx) {
  const rows = new Map();
  ctx.head('Queues', [copyAs(() => ({ctl: ctl('queues'), path: 'queues'}))]);
  const table = new Table({caption: 'Queues', key: q => q.queue, order: ctx.query.get('sort') || '',
    onOrder: sort => ctx.setQuery({sort}), columns: [
      {label: 'Queue', sort: 'queue', wide: true, cell: q => [h('a.strong', {href: at`queues/${q.queue}`}, u(clip(q.queue, 80))), ' ', q.paused && badge('paused'),
        q.unknown?.length ? badge('warning', `no worker has ${plural(q.unknown.length, 'task')}`) : null]},
      {label: 'Waiting', num: true, sort: 'waiting', cell: q => h('strong', num(q.waiting))},
      {label: 'Delayed', num: true, sort: 'delayed', cell: q => num(q.delayed)},
      {label: 'In flight', num: true, sort: 'in_flight', cell: q => num(q.in_flight)},
      {label: 'Dead', num: true, sort: 'dead', cell: q => q.dead ? link(`dead${query({queue: q.queue})}`, num(q.dead)) : '0'},
      {label: 'Oldest', num: true, sort: 'age', cell: q => dur(q.age)},
      {label: 'Per min', num: true, sort: 'rate', cell: q => short(q.rate ?? 0)},
      {label: 'Last 5 min', cell: q => spark(q.spark)},
      {label: 'Empty in', num: true, sort: 'drain', cell: q => q.paused ? 'paused' : dur(q.drain)},
      {label: '', cell: q => [pauseButton(q, load, true), purgeButton(q, load, true)]},
    ], empty: empty('No queue yet', 'A queue is there as soon as a worker serves it, or a task is submitted to it.', firstTask())});
  ctx.show(h('section.card.flush', table.el));
  const draw = () => {
    table.update([...rows.values()]);
    announce(`${plural(rows.size, 'queue')}, ${num([...rows.values()].reduce((n, q) => n + q.waiting, 0))} tasks waiting`);
  };
  async function load() {
    applyRows(rows, await get('queues', {signal: ctx.signal}), 'queue');
    draw();
  }
  await load();
  ctx.watch(['queues'], (topic, data) => { applyRows(rows, data, 'queue'); draw(); });
}

function levels(list) {
  const total = list.reduce((n, l) => n + l.waiting, 0);
  return !list.length ? empty('Nothing waits', 'Tasks with lower numbers run first.') :
    h('ul.rows', list.map(l => h('li', h('span.grow', `Priority ${l.priority}`), meter(l.waiting, total, `priority ${l.priority}`), h('strong.num', num(l.waiting)))));
}

export async function detail(ctx) {
  const [name] = ctx.params, path = at`queues/${name}`;
  let q = await get(path, {signal: ctx.signal});
  const top = h('div.tiles'), side = h('div.grid'), warn = h('div');
  const chart = throughput(ctx, 'Throughput', {queue: name});
  const load = async () => { q = await get(path, {signal: ctx.signal}); draw(); };
  function draw() {
    ctx.head(name, [copyAs(() => ({ctl: ctl('queues', word(name)), path})), pauseButton(q, load), purgeButton(q, load)],
      h('p.sub', link('queues', 'Queues'), ' ', q.paused ? badge('paused') : badge('enabled', 'open')));
    fill(warn, q.unknown?.length ? h('div.banner', {'data-state': 'retrying'}, badge('warning', 'No worker has'),
      q.unknown.slice(0, 5).map(n => h('code', u(clip(n, 60)))), ' – start a worker whose modules have it, or cancel the tasks.') : null);
    fill(top, tile('Waiting', num(q.waiting), q.age ? `oldest ${dur(q.age)}` : 'nothing waits', `tasks${query({state: 'pending', queue: name})}`),
      tile('Delayed', num(q.delayed), q.next_due_at ? ['next ', when(q.next_due_at)] : '', `tasks${query({state: 'delayed', queue: name})}`),
      tile('In flight', num(q.in_flight), '', `tasks${query({state: 'running', queue: name})}`, 'running'),
      tile('Dead', num(q.dead), '', `dead${query({queue: name})}`, q.dead ? 'failed' : ''),
      tile('Ended/min', short(q.rate ?? 0), q.drain ? `empty in ${dur(q.drain)}` : ''));
    fill(side, card('Priorities', levels(q.levels || [])), card('More', kv([
      ['Oldest', when(q.oldest_at, true)], ['Set aside', num(q.set_aside), ' for workers that can run them'],
      ['Finished', link(`tasks${query({state: 'success', queue: name})}`, 'succeeded'), ', ', link(`tasks${query({state: 'failed', queue: name})}`, 'failed')]])));
  }
  ctx.show(warn, top, chart, side);
  draw();
  ctx.watch(['queues'], (topic, data) => {
    const row = (data.items || data.changed || []).find(one => one.queue === name);
    if (row) { q = {...q, ...row}; draw(); }
  });
}

