/* SPDX-License-Identifier: MIT */
/* Overview: whether all goes well, and if not, where to look. */
import {fill, h, u} from '../h.js';
import {at, get, query} from '../api.js';
import {clip, dur, num, plural, short} from '../fmt.js';
import {count} from '../app.js';
import {percentiles, throughput} from '../charts.js';
import {meter, spark, tile} from '../figures.js';
import {icon} from '../icons.js';
import {announce, badge, card, empty, firstTask, link, when} from '../parts.js';

function tiles({stats, workers, queues, rates: rate}) {
  const age = Math.max(0, ...queues.map(q => q.age || 0));
  return [
    tile('Succeeded/min', short(rate.succeeded ?? 0), `${short(stats.succeeded)} in all`, 'tasks?state=success', 'success'),
    tile('Failed/min', short(rate.failed ?? 0), `${short(rate.retried ?? 0)} retried`, 'tasks?state=failed', rate.failed > 0 ? 'failed' : ''),
    tile('Waiting', short(stats.waiting), age ? `oldest ${dur(age).split(' ').slice(0, 2).join(' ')}` : 'nothing waits', 'tasks?state=pending', age > 300 ? 'retrying' : ''),
    tile('Running', short(stats.in_flight), [meter(workers.busy, workers.slots, 'slots busy'), ` of ${short(workers.slots, 1000)}`], 'tasks?state=running', 'running'),
    tile('Delayed', short(stats.delayed), 'due later', 'tasks?state=delayed'),
    tile('Dead', short(stats.dead), stats.dead ? 'want a decision' : 'none', 'dead', stats.dead ? 'failed' : ''),
    tile('Workers', num(workers.running), ['quiet', 'stopping', 'dead'].filter(s => workers[s]).map(s => `${workers[s]} ${s}`).join(', ') || (workers.running ? 'all well' : 'none alive'), 'workers', workers.dead || !workers.running ? 'failed' : ''),
  ];
}

const failures = list => !list.length ? empty('No failures in the last hour', 'Failures show here by task and error.') :
  h('ul.rows', list.map(f => h('li', link(`dead${query({task: f.task, reason: f.reason})}`,
    h('span.grow', h('strong', u(clip(f.task, 60))), h('span.sub', when(f.last_at), ' · ', u(clip(f.error || f.reason, 120)))),
    badge('failed', clip(f.reason || 'failed', 24)), h('strong.num', num(f.count))))));

const fires = list => !list.length ? empty('No schedule is due', 'A schedule submits a task at its times.', link('schedules/new', 'Make one')) :
  h('ul.rows', list.map(f => h('li', link(at`schedules/${f.id}`,
    h('span.grow', h('strong', u(clip(f.task, 60))), h('span.sub', u(clip(f.description || f.id, 90)))), when(f.next_run)))));

const queueRows = list => h('ul.rows', [...list].sort((a, b) => b.waiting - a.waiting).slice(0, 8).map(q =>
  h('li', link(at`queues/${q.queue}`, h('span.grow', h('strong', u(clip(q.queue, 60))),
    h('span.sub', q.age ? `oldest ${dur(q.age)}` : 'nothing waits', q.drain && !q.paused ? `, empty in ${dur(q.drain)}` : '')),
  q.paused && badge('paused'), spark(q.spark), h('strong.num', short(q.waiting))))));

const findings = ({errors, warnings}) => errors || warnings ?
  h('a.banner', {href: 'health', 'data-state': errors ? 'failed' : 'retrying'}, icon('warning'), h('strong', [errors ? plural(errors, 'error') : null,
    errors && warnings ? ' and ' : null, warnings ? plural(warnings, 'warning') : null]), ' – the doctor names the remedies', icon('next')) : null;

export async function view(ctx) {
  const first = await get('overview', {signal: ctx.signal});
  ctx.head('Overview', []);
  const top = h('div'), tilesBox = h('div.tiles'), lists = h('div.grid');
  const chart = throughput(ctx, 'Throughput'), heat = percentiles(ctx);
  let fresh = true;

  function show(data) {
    const {stats} = data;
    const nothing = !stats.succeeded && !stats.failed && !stats.waiting && !stats.in_flight && !stats.delayed && !stats.dead;
    count({queues: short(stats.waiting) === '0' ? null : short(stats.waiting), dead: stats.dead ? short(stats.dead) : null,
      tasks: stats.in_flight ? short(stats.in_flight) : null});
    fill(top, findings(data.findings), nothing && card('Welcome', empty('No task yet', data.workers.running ? 'A worker is there and waits.' : 'No worker is alive yet.', firstTask())));
    fill(tilesBox, tiles(data));
    fill(lists, card('Failures of the last hour', failures(data.failures)), card('Next fires', fires(data.next_fires)),
      card('Queues', data.queues.length ? queueRows(data.queues) : empty('No queue yet', 'A queue is there as soon as a worker serves it.')));
    if (fresh) ctx.show(top, tilesBox, chart, lists, heat);
    fresh = false;
  }
  show(first);
  ctx.watch(['overview'], (topic, data) => {
    show(data);
    announce(`${plural(data.stats.waiting, 'task')} waiting, ${num(data.stats.in_flight)} running, ${num(data.stats.dead)} dead`);
  });
}
