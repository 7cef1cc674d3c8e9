/* SPDX-License-Identifier: MIT */
/* Workers, and one worker. */
import {fill, h, u} from '../h.js';
import {at, get} from '../api.js';
import {bytes, clip, dur, num, plural, word} from '../fmt.js';
import {meter, tile} from '../figures.js';
import {applyRows} from '../live.js';
import {action, announce, ask, badge, brief, card, copyAs, empty, kv, link, progress, taskLink, when} from '../parts.js';
import {ctl} from '../shell.js';
import {Table} from '../table.js';

const ORDERS = {
  quiet: ['Quiet', 'pause', 'It finishes what it runs and takes no more tasks.', ['running']],
  resume: ['Resume', 'play', 'It takes tasks again.', ['quiet']],
  reload: ['Reload', 'reload', 'It reads its configuration and modules again; running tasks go on.', ['running', 'quiet']],
  stop: ['Stop', 'stop', 'It finishes what it runs, as on SIGTERM, and ends. systemd may start it again.', ['running', 'quiet']],
};

function orders(w, after, short) {
  return Object.entries(ORDERS).filter(([, o]) => o[3].includes(w.state)).map(([order, [title, sign, text]]) =>
    action(short ? '' : title, sign, async () => {
      if (await ask({title: `${title} worker ${clip(w.worker, 50)}?`, verb: title, text, danger: order === 'stop',
        request: {method: 'POST', path: at`workers/${w.worker}/${order}`}, ctl: ctl('worker', order, word(w.worker)),
        done: `${title}: the worker has been told`})) after();
    }, {kind: short ? 'ghost' : order === 'stop' ? 'danger' : 'plain', title, 'aria-label': `${title} ${clip(w.worker, 60)}`}));
}

/* Of what occupies a thread or a process; of the others there are thousands. */
const slots = w => Object.entries(w.slots || {}).filter(([kind]) => kind !== 'async').map(([, s]) => s).reduce(([used, all], s) => [used + (s.tasks || 0), all + (s.slots || 0)], [0, 0]);
const used = w => {
  const [n, all] = slots(w);
  const waits = w.slots?.async?.tasks;
  return all ? [meter(n, all, 'slots used'), ` ${num(n)}/${num(all)}`, waits ? h('span.sub', `${num(waits)} async`) : null] : '–';
};
/* The version that most have; another one is marked. */
function usual(list) {
  const n = {};
  for (const w of list) n[w.version] = (n[w.version] || 0) + 1;
  return Object.entries(n).sort((a, b) => b[1] - a[1])[0]?.[0];
}

export async function view(ctx) {
  const rows = new Map();
  let most = null;
  const table = new Table({caption: 'Workers', key: w => w.worker, order: ctx.query.get('sort') || '', onOrder: sort => ctx.setQuery({sort}), columns: [
    {label: 'Worker', sort: 'worker', wide: true, cell: w => [h('a.strong', {href: at`workers/${w.worker}`}, u(clip(w.worker, 60))), h('span.sub', u(clip(w.host || '', 60)), w.pid ? `, pid ${w.pid}` : '')]},
    {label: 'State', sort: 'state', cell: w => [badge(w.state), ' ', w.refused?.length ? badge('warning', `${num(w.refused.length)} refused`) : null]},
    {label: 'Version', sort: 'version', cell: w => w.version === most || !w.version ? w.version || '–' : badge('warning', w.version)},
    {label: 'Queues', cell: w => (w.queues || []).slice(0, 3).map(q => h('a.chip', {href: at`queues/${q}`}, u(clip(q, 24)))).concat(w.queues?.length > 3 ? h('span.dim', `+${w.queues.length - 3}`) : [])},
    {label: 'Slots', cell: used, sort: w => slots(w)[0]},
    {label: 'Memory', num: true, sort: w => w.memory?.total, cell: w => bytes(w.memory?.total)},
    {label: 'Attempts', num: true, sort: w => w.totals?.succeeded, cell: w => [num(w.totals?.succeeded), w.totals?.failed ? h('span.sub', `${num(w.totals.failed)} failed`) : null]},
    {label: 'Heartbeat', num: true, sort: 'heartbeat_age', cell: w => w.heartbeat_age === null || w.heartbeat_age === undefined ? '–' : [`${dur(Math.round(w.heartbeat_age))} ago`, h('span.sub', `up ${dur(w.uptime && Math.floor(w.uptime / 60) * 60)}`)]},
    {label: '', cell: w => orders(w, load, true)},
  ], empty: empty('No worker', 'Start one: it takes tasks from its queues.', h('p', h('code', 'systemctl start flowrrad')))});
  ctx.head('Workers', [copyAs(() => ({ctl: ctl('workers'), path: 'workers'}))]);
  ctx.show(h('section.card.flush', table.el));
  const draw = () => {
    const list = [...rows.values()];
    most = usual(list);
    table.update(list);
    announce(`${plural(list.length, 'worker')}, ${num(list.filter(w => w.state === 'dead').length)} dead`);
  };
  const load = async () => { applyRows(rows, await get('workers', {signal: ctx.signal}), 'worker'); draw(); };
  await load();
  ctx.watch(['workers'], (topic, data) => { applyRows(rows, data, 'worker'); draw(); });
}

const executors = w => (w.executors || w.memory?.executors || []).map(e => h('li', h('span.grow', h('strong', u(clip(e.kind || 'executor', 30))), h('span.sub', `pid ${e.pid}`)), h('span.num', bytes(e.bytes ?? e.rss))));

function parts(w) {
  return [card('Facts', kv([['Host', u(clip(w.host || '–', 80))], ['Pid', String(w.pid ?? '–')], ['Version', w.version || '–'], ['Started', when(w.started_at, true)],
    ['Queues', (w.queues || []).map(q => h('a.chip', {href: at`queues/${q}`}, u(clip(q, 40))))],
    w.reloads && ['Reloads', num(w.reloads.count), w.reloads.error && [' ', badge('failed', 'last one failed'), ' ', u(clip(w.reloads.error, 200))]],
    w.stuck?.length ? ['Stuck', w.stuck.map(s => [badge('warning', `${s.kind}, ${dur(s.seconds)}`), ' ', s.task ? taskLink(s.task) : null])] : null])),
  card('Executors', executors(w).length ? h('ul.rows', executors(w)) : empty('None', 'It has no executor at present.')),
  card('Slots', kv(Object.entries(w.slots || {}).map(([kind, s]) => [kind, meter(s.tasks, s.slots, kind), ` ${num(s.tasks)} of ${num(s.slots)}`]))),
  card('Modules', w.modules?.length ? h('ul.chips', w.modules.map(m => typeof m === 'string' ? m : m.name || JSON.stringify(m)).map(m => h('li.chip', {title: clip(m, 400)}, u(clip(m.split('/').at(-1), 60))))) : empty('None', 'Name them in [worker] modules.'),
      w.refused?.length ? h('ul.rows', w.refused.map(r => h('li', badge('failed', 'refused'), h('span.grow', u(clip(r, 300)))))) : null)];
}

export async function detail(ctx) {
  const [name] = ctx.params, path = at`workers/${name}`;
  let w = await get(path, {signal: ctx.signal});
  const top = h('div.tiles'), grid = h('div.grid');
  const table = new Table({caption: 'What it runs', key: t => t.task_id || t.id, columns: [
    {label: 'Task', wide: true, cell: t => [h('strong', u(clip(t.task_name || t.name, 60))), h('span.sub', taskLink(t.task_id || t.id))]},
    {label: 'Queue', cell: t => u(clip(t.queue || '–', 30))}, {label: 'Arguments', cell: t => brief(t.args, t.kwargs)},
    {label: 'Progress', cell: t => progress(t.progress) || h('span.dim', '–')}, {label: 'Started', num: true, cell: t => when(t.started_at)}],
  empty: empty('It runs nothing', 'Tasks that it holds show here.')});
  const load = async () => { w = await get(path, {signal: ctx.signal}); draw(); };
  function draw() {
    const [n, all] = slots(w);
    ctx.head(name, [copyAs(() => ({ctl: ctl('workers', '--json'), path})), orders(w, load)], h('p.sub', link('workers', 'Workers'), ' ', badge(w.state)));
    fill(top, tile('Slots used', `${num(n)}/${num(all)}`, meter(n, all, 'slots')), tile('In flight', num(w.in_flight)), tile('Memory', bytes(w.memory?.total)),
      tile('Succeeded', num(w.totals?.succeeded), `${num(w.totals?.retried)} retried`), tile('Failed', num(w.totals?.failed), `${num(w.totals?.crashed)} crashed`),
      tile('Heartbeat', w.heartbeat_age === null || w.heartbeat_age === undefined ? '–' : `${dur(Math.round(w.heartbeat_age))} ago`, `up ${dur(w.uptime && Math.floor(w.uptime / 60) * 60)}`));
    table.update(w.running || []);
    fill(grid, parts(w));
  }
  ctx.show(top, h('section.card.flush', table.el), grid);
  draw();
  ctx.watch(['workers'], (topic, data) => {
    const row = (data.items || data.changed || []).find(one => one.worker === name);
    if (row) { w = {...w, ...row, running: w.running, modules: row.modules || w.modules}; draw(); }
  });
}
