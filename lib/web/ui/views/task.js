/* SPDX-License-Identifier: MIT */
/* One task: where it is, each attempt, what went in and what came out. */
import {fill, h, svg, u} from '../h.js';
import {at, get} from '../api.js';
import {between, clip, dur, exact, num, stamp, word, zone} from '../fmt.js';
import {icon} from '../icons.js';
import {action, announce, badge, card, copyAs, copyable, empty, json, kv, link, problem, progress, text, when} from '../parts.js';
import {ctl} from '../shell.js';
import {VERBS, actOn} from '../verbs.js';

const ms = iso => iso ? exact(iso) * 1000 : null;

/* --- timeline ---------------------------------------------------------------- */

/* From its life the spans between its moments: [{kind, from, to, name}] */
function spans(record, attempts, due) {
  const out = [], end = ms(record.finished_at) || Date.now();
  let at = ms(record.submitted_at);
  const add = (kind, to, name) => {
    if (at !== null && to !== null && to > at) out.push({kind, from: at, to, name});
    if (to !== null) at = at === null ? to : Math.max(at, to);
  };
  attempts.forEach((a, i) => {
    add(i ? 'retrying' : 'pending', ms(a.started_at), i ? 'waited for the retry' : 'waited');
    const last = i === attempts.length - 1, over = ms(a.finished_at) || (last ? end : null);
    add(a.error || a.reason ? 'failed' : record.status === 'success' && last ? 'success' : 'running', over, `attempt ${a.attempt}`);
  });
  if (!record.finished_at && (!attempts.length || attempts.at(-1).finished_at))
    add(due ? 'delayed' : record.status === 'retrying' ? 'retrying' : 'pending', Math.max(Date.now(), ms(due) || 0), due ? 'delayed' : 'waits');
  if (record.status === 'failed' && out.length) out.at(-1).end = attempts.length ? 'died' : 'ended without an attempt';
  return out;
}

function timeline(list) {
  if (!list.length) return empty('No history', 'It has no record with times.');
  const begin = list[0].from, whole = Math.max(1, list.at(-1).to - begin);
  /* The shortest span is still to be seen. */
  const widths = list.map(s => Math.max(0.015, (s.to - s.from) / whole)), sum = widths.reduce((a, b) => a + b, 0);
  let x = 0;
  return [svg('svg.timeline', {viewBox: '0 0 1000 28', preserveAspectRatio: 'none', role: 'img', 'aria-label': 'Timeline; the list below has its durations'},
    list.map((s, i) => {
      const rect = svg(`rect.t-${s.kind}`, {x, y: 2, width: Math.max(1, widths[i] / sum * 1000 - 3), height: 24, rx: 3},
        svg('title', `${s.name}: ${dur((s.to - s.from) / 1000)}`));
      x += widths[i] / sum * 1000;
      return rect;
    })),
  h('ol.steps', list.map(s => h('li', {'data-kind': s.kind}, icon(s.kind), h('span.grow', s.name),
    h('time.dim', {datetime: new Date(s.from).toISOString(), title: `${stamp(s.from)} ${zone.name}`}, stamp(s.from).slice(11)), h('strong.num', dur((s.to - s.from) / 1000)))),
    list.at(-1).end && h('li', {'data-kind': 'failed'}, icon('dead'), h('span.grow', list.at(-1).end),
      h('time.dim', {datetime: new Date(list.at(-1).to).toISOString()}, stamp(list.at(-1).to).slice(11)), h('strong.num', '')))];
}

/* The last attempt stands in the record itself. */
function attemptsOf(shown) {
  const list = (shown.attempts || []).map((a, i) => ({attempt: i + 1, ...a}));
  const r = shown.record;
  if (r?.started_at && !list.some(a => a.started_at === r.started_at))
    list.push({attempt: r.attempts || list.length + 1, started_at: r.started_at, finished_at: r.finished_at,
      worker: r.worker, reason: r.status === 'success' ? null : r.reason, error: r.status === 'success' ? null : r.error, output: r.output});
  return list;
}

const attemptRow = (a, record) => {
  const bad = a.error || a.reason, ok = !bad && a.finished_at;
  return h('details.attempt', {open: bad && a.attempt === Math.max(a.attempt, record?.attempts || 0)},
    h('summary', badge(bad ? 'failed' : ok ? 'success' : 'running', bad ? clip(a.reason || 'failed', 30) : null), h('strong', `Attempt ${a.attempt}`),
      h('span.dim', when(a.started_at)), h('span.grow'), a.worker && h('span.dim', u(clip(a.worker, 40))),
      h('strong.num', a.started_at && a.finished_at ? dur(between(a.started_at, a.finished_at)) : '')),
    kv([['Started', when(a.started_at, true)], ['Finished', when(a.finished_at, true)],
      ['Worker', a.worker ? h('a', {href: at`workers/${a.worker}`}, u(clip(a.worker, 80))) : '–']]),
    a.error && [h('h3.minor', 'Error'), text(a.error, 'error')], a.output && [h('h3.minor', 'Output'), text(a.output, 'output')]);
};

/* --- bytes ------------------------------------------------------------------- */

/* What can be read is shown as JSON, and folded; a dump is for what cannot. */
function stored(shown) {
  const it = shown.entry || shown;
  return it.task ? h('details.card', h('summary', 'As stored'), json(it.task, 'the task as stored')) : dump(it);
}

function dump(shown) {
  const raw = shown.bytes_base64 ? atob(shown.bytes_base64) : shown.bytes;
  if (raw === undefined || raw === null) return null;
  const lines = [];
  for (let i = 0; i < Math.min(raw.length, 4096); i += 16) {
    const part = [...raw.slice(i, i + 16)].map(c => c.charCodeAt(0) & 255);
    lines.push(`${i.toString(16).padStart(6, '0')}  ${part.map(b => b.toString(16).padStart(2, '0')).join(' ').padEnd(47)}  ` +
      part.map(b => b > 31 && b < 127 ? String.fromCharCode(b) : '.').join(''));
  }
  return card('Raw bytes', h('p.dim', 'It could not be read as a task; these are its first bytes.'), h('pre.code.dump', {tabindex: 0, role: 'group', 'aria-label': 'bytes'}, h('code', lines.join('\n'))));
}

/* --- logs -------------------------------------------------------------------- */

function logs(ctx, id) {
  const box = h('div', h('p.dim', 'Lines that the task printed, kept by its worker.')), lines = h('ol'), scroll = h('div.log', {tabindex: 0, role: 'group', 'aria-label': 'Lines'}, lines);
  let after = null;
  async function more() {
    try {
      const page = await get(at`tasks/${id}/logs` + (after ? `?after=${encodeURIComponent(after)}` : ''), {signal: ctx.signal});
      after = page.next || after;
      if (page.lines.length && !lines.isConnected) fill(box, scroll);
      lines.append(...page.lines.slice(-2000).map(l => h('li', {'data-stream': l.stream}, h('time', {datetime: l.at}, stamp(l.at).slice(11)), u(clip(l.text, 4000)))));
    } catch (error) {
      if (error.name !== 'AbortError' && error.status !== 404) fill(box, problem(error, more));
    }
  }
  more();
  return {el: card('Log', box), more};
}

/* --- the page ---------------------------------------------------------------- */

function stateOf(shown) {
  const r = shown.record;
  if (r && ['success', 'failed', 'retrying', 'running'].includes(r.status)) return r.status;
  return {waiting: 'pending', in_flight: 'running', finished: r?.status}[shown.where] || shown.where || 'unknown';
}

function actions(ctx, id, state, shown) {
  const record = shown.record || shown.entry || {};
  const edit = new URLSearchParams({name: record.task_name || '', args: JSON.stringify(record.args ?? []),
    kwargs: JSON.stringify(record.kwargs ?? {}), queue: record.queue || shown.queue || ''});
  return [copyAs(() => ({ctl: ctl('tasks', 'show', word(id)), path: at`tasks/${id}`})),
  ...Object.entries(VERBS).filter(([, v]) => v.states.includes(state)).map(([verb, v]) => action(v.title, v.sign, async () => {
    if (!await actOn(verb, [id])) return;
    if (verb === 'delete') ctx.go('tasks'); else ctx.reload();
  }, {key: v.key, kind: v.danger ? 'danger' : 'plain'})),
  record.task_name && edit.toString().length < 6000 && action('Resubmit', 'edit', () => ctx.go('enqueue?' + edit), {title: 'Opens the form with these arguments'})];
}

export async function view(ctx) {
  const [id] = ctx.params;
  let shown = await get(at`tasks/${id}`, {signal: ctx.signal});
  const log = logs(ctx, id), left = h('div.stack'), right = h('div.stack'), bar = h('div');
  function draw() {
    const record = shown.record || shown.entry || {}, state = stateOf(shown), list = attemptsOf(shown);
    const open = [...left.querySelectorAll('details')].map(d => d.open);
    ctx.head(clip(record.task_name || 'Unreadable task', 80), actions(ctx, id, state, shown),
      h('p.sub', link('tasks', 'Tasks'), ' ', badge(state), ' ', copyable(id)));
    fill(bar, state === 'running' && progress(record.progress) && h('div.bigprogress', progress(record.progress)));
    fill(left, card('Timeline', timeline(spans(record, list, (shown.entry || {}).due_at))),
      card('Attempts', list.length ? list.map(a => attemptRow(a, record)).reverse() : empty('No attempt yet', 'A worker has not taken it.')),
      state === 'success' ? card('Result', json(record.result, 'result')) : null, stored(shown));
    [...left.querySelectorAll('details')].forEach((d, i) => { if (open[i] !== undefined) d.open = open[i]; });
    fill(right, facts(shown, record), card('Arguments', json(record.args ?? [], 'arguments')),
      card('Keyword arguments', json(record.kwargs ?? {}, 'keyword arguments')));
  }
  draw();
  ctx.show(bar, h('div.split', h('div.stack', left, log.el), right));
  ctx.watch([`task:${id}`], (topic, data) => {
    const before = stateOf(shown);
    if (data.where || data.attempts) shown = {...shown, ...data};
    if (data.record) shown.record = data.record;
    if (data.progress !== undefined && data.progress !== null && shown.record) shown.record.progress = data.progress;
    draw();
    log.more();
    if (stateOf(shown) !== before) announce(`The task is ${stateOf(shown)}`);
  });
}

function facts(shown, r) {
  const s = shown.schedule;
  return card('Facts', kv([
    ['Task', r.task_name ? h('a', {href: `enqueue?name=${encodeURIComponent(r.task_name)}`}, u(clip(r.task_name, 80))) : '–'],
    ['Where', (shown.where || 'unknown').replace('_', ' ')],
    ['Queue', shown.queue || r.queue ? h('a', {href: at`queues/${shown.queue || r.queue}`}, u(clip(shown.queue || r.queue, 60))) : '–'],
    ['Priority', num(r.priority ?? shown.entry?.priority ?? 0)], ['Retries', `${num(r.retries || 0)}${r.max_retries ? ` of ${num(r.max_retries)}` : ''}`],
    ['Submitted', when(r.submitted_at, true)], r.due_at || shown.entry?.due_at ? ['Due', when(r.due_at || shown.entry.due_at, true)] : null,
    ['Started', when(r.started_at, true)], ['Finished', when(r.finished_at, true)],
    r.reason && ['Reason', badge('failed', clip(r.reason, 40))],
    s && ['Schedule', h('a', {href: at`schedules/${s.id}`}, u(clip(s.id, 60))), s.fire_at && [', fire of ', when(s.fire_at)]]]));
}
