// SPDX-License-Identifier: MIT
// A stand-in for flowrra-web, for the browser tests: it serves lib/web/ui with
// the headers of the daemon, and answers in the API's shapes. POST /mock sets
// what it is: {"mode": "data" | "empty" | "away", "role", "readonly", "sse"}.

import {createServer} from 'node:http';
import {readFile} from 'node:fs/promises';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {empty, iso, random, series, uuid, world} from './data.mjs';

const UI = join(dirname(fileURLToPath(import.meta.url)), '../../../lib/web/ui');
const CHART = '/usr/share/javascript/chart.js/chart.min.js';
export const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'";
const TYPES = {js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml', html: 'text/html; charset=utf-8'};
const prefix = process.env.MOCK_PREFIX || '';
const HASH = 'test0hash';

let w, mode, role, readonly, sse, logged;
const streams = new Set(), jobs = new Map();
export const calls = [];
function reset(o = {}) {
  mode = o.mode || 'data';
  w = mode === 'empty' ? empty() : world();
  role = o.role || 'operator';
  readonly = !!o.readonly;
  sse = o.sse !== false;
  logged = o.logged !== false;
  calls.length = 0;
}
reset();

class Fault extends Error {
  constructor(status, code, detail, more = {}) { super(detail); Object.assign(this, {status, body: {status, code, detail, field: null, hint: null, request_id: 'r-' + uuid().slice(0, 8), ...more}}); }
}
const need = () => { if (role !== 'operator' || readonly) throw new Fault(403, 'forbidden', 'this needs the role operator'); };
const find = (list, key, value, what) => list.find(x => x[key] === value) || (() => { throw new Fault(404, 'not_found', `no such ${what} "${String(value).slice(0, 80)}"`); })();

function page(items, q, total) {
  const limit = Number(q.get('limit') || 50), at = Number(q.get('cursor') || 0), next = at + limit;
  return {items: items.slice(at, next), next: next < items.length ? String(next) : null, complete: next >= items.length, looked_at: total || Math.min(limit, items.length)};
}

function matches(t, q) {
  for (const [k, v] of q) {
    if (k.startsWith('args.') || k.startsWith('kwargs.')) {
      let x = t;
      for (const part of k.split('.')) x = x?.[part];
      if (String(x) !== v) return false;
    } else if (['task', 'error'].includes(k)) { if (!String(t[k === 'task' ? 'task_name' : k] ?? '').includes(v)) return false; }
    else if (['queue', 'worker', 'reason'].includes(k) && t[k] !== v) return false;
    else if (k === 'after' && new Date(t.submitted_at) < new Date(v)) return false;
  }
  return true;
}

// A filter that is seldom met looks at ten thousand entries a time, of a million.
function tasksList(q) {
  const state = q.get('state') || 'pending', hits = w.tasks.filter(t => t.state === state && matches(t, q));
  if (q.get('task') !== 'needle') return page(hits, q);
  const at = Number(q.get('cursor') || 0) + 10000;
  return {items: at === 30000 ? [w.tasks[0]] : [], next: at < 60000 ? String(at) : null, complete: at >= 60000, looked_at: 10000};
}

function overview() {
  const sum = k => w.queues.reduce((n, x) => n + x[k], 0), n = state => w.workers.filter(x => x.state === state).length, any = w.queues.length > 0;
  return {at: iso(0), stats: {waiting: sum('waiting'), delayed: sum('delayed'), in_flight: sum('in_flight'), dead: w.dead.length, succeeded: any ? 1834022 : 0, failed: any ? 2210 : 0, queues: w.queues.length,
    paused: 1, workers: w.workers.length, slots: 144, registered: w.registry.length}, queues: w.queues, workers: {running: n('running'), quiet: n('quiet'), stopping: 0, dead: n('dead'), slots: any ? 144 : 0, busy: any ? 29 : 0},
  running: sum('in_flight'), next_fires: w.schedules.filter(s => s.next_run).slice(0, 8).map(({id, task, next_run, description}) => ({id, task, next_run, description})),
  failures: groups().slice(0, 8), findings: any ? {errors: 1, warnings: 2} : {errors: 0, warnings: 0}, rates: any ? {succeeded: 648, failed: 9, retried: 21} : {succeeded: 0, failed: 0, retried: 0}};
}

function groups() {
  const by = new Map();
  for (const d of w.dead) {
    const key = `${d.task_name} ${d.reason} ${(d.error || '').slice(0, 60)}`, g = by.get(key) || {task: d.task_name, reason: d.reason, error: d.error, count: 0, first_at: d.died_at, last_at: d.died_at, queue: d.queue};
    g.count++;
    by.set(key, g);
  }
  return [...by.values()].sort((a, b) => b.count - a.count);
}

function show(id) {
  const dead = w.dead.find(d => d.key === id);
  if (dead && !dead.task_id) return {task_id: null, where: 'dead', queue: dead.queue, record: null, entry: {...dead, bytes_base64: Buffer.from('{"name": "resi\u0000\xffze", oops', 'latin1').toString('base64')}, attempts: [], schedule: null};
  const t = find(w.tasks, 'task_id', id, 'task'), where = {pending: 'waiting', delayed: 'delayed', running: 'in_flight', retrying: 'delayed', success: 'finished', failed: dead ? 'dead' : 'finished'}[t.state];
  const attempts = Array.from({length: t.retries}, (_, i) => ({attempt: i + 1, started_at: new Date(Date.parse(t.submitted_at) + 2000 + i * 9000).toISOString(), finished_at: new Date(Date.parse(t.submitted_at) + 5000 + i * 9000).toISOString(),
    worker: 'web-1.example.net-4127', reason: 'failed', error: 'Traceback:\n  File "resize.py", line 12\nConnectionError: refused', output: 'opening s3://media\nretrying in 2 s\n'}));
  const record = {...t, attempts: t.retries + 1};
  if (t.finished_at && t.retries) { record.started_at = new Date(Date.parse(t.submitted_at) + 2000 + t.retries * 9000).toISOString(); record.finished_at = new Date(Date.parse(record.started_at) + 3100).toISOString(); }
  return {task_id: id, where, queue: t.queue, record: t.state === 'pending' || t.state === 'delayed' ? {...record, status: 'pending'} : record, entry: t.due_at ? {due_at: t.due_at, priority: t.priority} : null, attempts,
    schedule: w.schedules[0] ? {id: w.schedules[0].id, fire_at: t.submitted_at} : null};
}

function fault422(rule) {
  const at = /[^\d*\/,\-\sA-Z@#?+]/.exec(rule), fields = rule.trim().split(/\s+/);
  if (at) throw new Fault(422, 'data', `unexpected "${at[0]}" in the field of hours`, {field: 'rule', column: at.index + 1, token: at[0], hint: 'a field is *, values, ranges and steps'});
  if (!rule.startsWith('@') && (fields.length < 5 || fields.length > 7)) throw new Fault(422, 'data', `an expression has 5 to 7 fields, and this one has ${fields.length}`, {field: 'rule', column: 1, token: fields[0], hint: 'such as 0 9 * * MON-FRI'});
}

function nextFires(tz = 'Europe/Berlin') {
  return {tz, items: Array.from({length: 10}, (_, i) => {
    const at = new Date(Math.ceil(Date.now() / 864e5) * 864e5 + i * 864e5 + 8 * 36e5);
    return {at: at.toISOString(), local: new Date(at.getTime() + 36e5).toISOString().slice(0, 19) + '+01:00', note: i === 3 ? 'gap' : i === 6 ? 'fold' : null};
  })};
}

function calendar(q) {
  const from = Date.parse(q.get('from')), hours = [];
  for (let i = 0; i < 168 && w.schedules.length; i++) {
    const list = w.schedules.filter((_, k) => (i * 7 + k * 13) % 24 < (i % 24 === 2 ? 9 : i % 24 === 9 ? 6 : i % 24 < 7 ? 1 : 2)).slice(0, i % 24 === 2 ? 12 : (i * 7) % 5).map((s, k) => ({id: s.id, count: k ? 1 : 12}));
    if (list.length) hours.push({at: new Date(from + i * 36e5).toISOString(), count: list.reduce((n, s) => n + s.count, 0), schedules: list});
  }
  return {from: q.get('from'), days: 7, tz: 'UTC', hours, complete: true};
}

function deadChange(verb, body) {
  need();
  const f = body.filter, hit = w.dead.filter(d => body.ids ? body.ids.includes(d.key) : (!f.task || (d.task_name || '').includes(f.task)) && (!f.reason || d.reason === f.reason) && (!f.error || (d.error || '').includes(f.error)) && (!f.queue || d.queue === f.queue));
  const refused = verb === 'retry' ? hit.filter(d => !d.task_id).length : 0;
  if (body.dry_run) return {dry_run: true, matched: hit.length, done: 0, refused, missing: [], tasks: []};
  const done = hit.filter(d => verb === 'delete' || d.task_id);
  const result = {dry_run: false, matched: hit.length, done: done.length, refused, missing: [], tasks: []};
  w.dead = w.dead.filter(d => !done.includes(d));
  push('dead', {changed: [], removed: done.map(d => d.key)});
  if (done.length < 20) return result;
  const id = 'job-' + uuid().slice(0, 8);
  jobs.set(id, {job: id, action: verb, state: 'running', done: 0, result, total: done.length});
  return [202, {job: id}];
}

function job(id) {
  const j = jobs.get(id) || (() => { throw new Fault(404, 'not_found', 'no such job'); })();
  j.done = Math.min(j.total, j.done + 40);
  if (j.done >= j.total) j.state = 'done';
  return {...j, result: j.state === 'done' ? j.result : null, error: null};
}

function act(id, verb) {
  need();
  const t = find(w.tasks, 'task_id', id, 'task');
  if (verb === 'cancel') {
    if (['success', 'failed'].includes(t.state)) throw new Fault(409, 'refused', 'the task has finished');
    Object.assign(t, {state: 'failed', status: 'failed', reason: 'cancelled', error: 'cancelled', finished_at: iso(0)});
  } else if (verb === 'delete') w.tasks = w.tasks.filter(x => x !== t);
  else Object.assign(t, {state: 'pending', status: 'pending', error: null, reason: null});
  push(`task:${id}`, {record: t, progress: null});
  return {id, task_id: id, outcome: {cancel: 'cancelled', retry: 'retried', run: 'queued', delete: 'deleted'}[verb]};
}

function submit(body) {
  need();
  if (!w.registry.some(r => r.name === body.name) && !body.force) throw new Fault(422, 'data', `no worker has registered the task "${String(body.name).slice(0, 60)}"`, {field: 'name', hint: 'similar names: resize'});
  const t = {task_id: body.id || uuid(), status: 'pending', state: 'pending', task_name: body.name, queue: body.queue || 'io', priority: body.priority || 0, args: body.args || [], kwargs: body.kwargs || {}, submitted_at: iso(0), retries: 0, max_retries: 3};
  w.tasks.unshift(t);
  return [201, {task_id: t.task_id, queue: t.queue}];
}

function saveSchedule(body, id) {
  need();
  if (body.type === 'cron') fault422(body.rule);
  if (!body.task) throw new Fault(422, 'data', 'a schedule needs a task', {field: 'task'});
  const old = id && find(w.schedules, 'id', id, 'schedule'), made = {...(old || {id: body.id || uuid(), runs: 0, state: 'enabled', next_run: iso(3600), last_run: null, spark: [], missed: 0, created_at: iso(0), misfire: 'once', overlap: 'allow', tz: 'UTC', fault: null, grace: null}),
    ...body, args: body.args || [], kwargs: body.kwargs || {}, enabled: body.enabled !== false, words: 'as written', updated_at: iso(0)};
  if (old) Object.assign(old, made); else w.schedules.unshift(made);
  return [id ? 200 : 201, made];
}

const serverFacts = () => ({broker: {name: 'Redis 7.0.15', address: '10.0.4.2:6379', used_memory: 81234432, clients: 41, rtt: 0.0004 + random() * 0.0003}, backend: {name: 'Redis 7.0.15'}, version: '0.1.0', uptime: '4 d'});

const routes = [
  ['GET', 'me', () => { if (!logged) throw new Fault(401, 'unauthorized', 'log in first'); return {user: 'anna', role, read_only: readonly, version: '0.1.0', label: 'staging', capabilities: []}; }, true],
  ['POST', 'session', ({body}) => { if (body.token !== 'good' && body.password !== 'good' && body.code !== 'goodcode1234') throw new Fault(401, 'unauthorized', 'the token is not right'); logged = true; return {user: 'anna', role}; }, true],
  ['DELETE', 'session', () => { logged = false; return [204]; }, true],
  ['GET', 'overview', overview],
  ['GET', 'series', ({q}) => series(q.get('name'), Date.parse(q.get('from')), Date.parse(q.get('to')), Number(q.get('step')), !w.queues.length)],
  ['GET', 'series/names', () => ({queues: w.queues.map(x => x.queue), tasks: w.registry.map(r => r.name)})],
  ['GET', 'queues', () => ({items: w.queues})],
  ['GET', 'queues/:id', ({id}) => ({...find(w.queues, 'queue', id, 'queue'), levels: [{priority: -5, waiting: 12}, {priority: 0, waiting: 1200}, {priority: 10, waiting: 72}]})],
  ['POST', 'queues/:id/:verb', ({id, verb, body}) => {
    need();
    const x = find(w.queues, 'queue', id, 'queue');
    if (verb === 'purge') {
      if (!body.dry_run && body.confirm !== id) throw new Fault(400, 'bad_request', 'confirm is not the name of the queue', {field: 'confirm'});
      const purged = x.waiting + x.delayed;
      if (!body.dry_run) x.waiting = x.delayed = 0;
      return {queue: id, purged, dry_run: !!body.dry_run};
    }
    x.paused = verb === 'pause';
    push('queues', {changed: [x], removed: []});
    return {queue: id, paused: x.paused};
  }],
  ['GET', 'tasks', ({q}) => tasksList(q)],
  ['POST', 'tasks', ({body}) => submit(body)],
  ['GET', 'tasks/:id', ({id}) => show(id)],
  ['DELETE', 'tasks/:id', ({id}) => act(id, 'delete')],
  ['GET', 'tasks/:id/logs', ({q}) => q.get('after') ? {lines: [], next: q.get('after')} : {lines: [['stdout', 'opening s3://media/a.jpg'], ['stderr', 'warning: profile missing \u001b[31m<b>'], ['stdout', 'done in 3.1 s']].map(([stream, text]) => ({at: iso(-10), attempt: 1, stream, text})), next: '3'}],
  ['POST', 'tasks/:id/:verb', ({id, verb}) => act(id, verb)],
  ['GET', 'dead', ({q}) => page(w.dead.filter(d => matches(d, q)), q)],
  ['GET', 'dead/groups', () => ({items: groups(), complete: false, looked_at: 10000})],
  ['POST', 'dead/:id', ({id, body}) => deadChange(id, body)],
  ['GET', 'jobs/:id', ({id}) => job(id)],
  ['DELETE', 'jobs/:id', ({id}) => { jobs.get(id).state = 'stopped'; return {}; }],
  ['GET', 'workers', () => ({items: w.workers})],
  ['GET', 'workers/:id', ({id}) => ({...find(w.workers, 'worker', id, 'worker'), running: w.tasks.filter(t => t.state === 'running').slice(0, 6)})],
  ['POST', 'workers/:id/:verb', ({id, verb}) => { need(); const x = find(w.workers, 'worker', id, 'worker'); x.state = {quiet: 'quiet', resume: 'running', stop: 'stopping'}[verb] || x.state; push('workers', {changed: [x], removed: []}); return {worker: id, order: verb}; }],
  ['GET', 'registry', () => ({items: w.registry})],
  ['GET', 'registry/:id', ({id}) => ({...find(w.registry, 'name', id, 'task'), figures: {succeeded: 3120, failed: 11, retried: 40, p50: 0.21, p95: 1.9, p99: 4.4}})],
  ['GET', 'schedules', ({q}) => page(w.schedules.filter(s => (!q.get('enabled') || String(s.enabled) === q.get('enabled')) && (!q.get('text') || JSON.stringify(s).includes(q.get('text')))), q)],
  ['POST', 'schedules', ({body}) => saveSchedule(body)],
  ['POST', 'schedules/preview', ({body}) => { if (body.type === 'cron') fault422(body.rule); return {...nextFires(body.tz), words: body.type === 'cron' ? 'at 09:00, Monday to Friday' : 'every 5 min'}; }],
  ['GET', 'schedules/:id', ({id}) => find(w.schedules, 'id', id, 'schedule')],
  ['PUT', 'schedules/:id', ({id, body, req}) => { const s = find(w.schedules, 'id', id, 'schedule'); if (req.headers['if-match'] !== `"${s.updated_at}"`) throw new Fault(412, 'precondition_failed', 'the schedule has changed'); return saveSchedule(body, id); }],
  ['DELETE', 'schedules/:id', ({id}) => { need(); w.schedules = w.schedules.filter(s => s.id !== id); return [204]; }],
  ['POST', 'schedules/:id/:verb', ({id, verb}) => { need(); const s = find(w.schedules, 'id', id, 'schedule'); if (verb === 'run') return [201, {task_id: uuid()}]; s.enabled = verb === 'enable'; s.state = s.enabled ? 'enabled' : 'disabled'; return s; }],
  ['GET', 'schedules/:id/next', () => nextFires()],
  ['GET', 'schedules/:id/fires', ({q}) => page(Array.from({length: 64}, (_, i) => ({fire_at: iso(-i * 300), task_id: i % 8 === 3 ? null : w.tasks[i].task_id, sent_at: i % 8 === 3 ? null : iso(-i * 300 + 0.08), outcome: i % 8 === 3 ? 'missed' : 'sent', reason: i % 8 === 3 ? 'late' : null, status: i % 8 === 3 ? null : ['success', 'failed', 'running'][i % 3]})), q)],
  ['GET', 'limits', () => ({items: w.limits})],
  ['POST', 'limits', ({body}) => { need(); if (!body.concurrency && !body.rate) throw new Fault(422, 'unprocessable', 'a limit needs a concurrency or a rate'); return {...body, scope: 'queue'}; }],
  ['POST', 'limits/unset', ({body}) => { need(); w.limits = w.limits.filter(l => l.queue !== body.queue || l.key !== (body.task ?? body.group ?? null)); return {queue: body.queue}; }],
  ['GET', 'workflows', () => ({items: w.workflows, more: false})],
  ['GET', 'workflows/:id', ({id}) => find(w.workflows, 'workflow', id, 'workflow')],
  ['GET', 'calendar', ({q}) => calendar(q)],
  ['GET', 'health', () => ({healthy: w.workers.length > 0, components: ['broker', 'backend', 'workers', 'scheduler_database', 'schedulers', 'schedules', 'tasks'].map(component => ({component, healthy: component !== 'workers' || w.workers.length > 0, message: component === 'workers' ? w.workers.length ? '4 alive, 3 take tasks' : 'none is alive; start flowrrad' : 'Redis 7.0.15 at 10.0.4.2'}))})],
  ['GET', 'doctor', () => ({items: w.queues.length ? [{level: 'error', about: 'workers', what: 'worker "batch-2.example.net-78" has said nothing for 41 s', remedy: 'see `journalctl -u flowrrad`, then `systemctl restart flowrrad`'}, {level: 'warning', about: 'queues', what: 'queue "low" is paused, and 15,872 tasks wait', remedy: '`flowrractl queue resume low`'}, {level: 'warning', about: 'workers', what: 'workers have different versions: 0.0.9, 0.1.0', remedy: 'upgrade the rest'}] : []})],
  ['GET', 'scheduler', () => ({schedules: w.schedules.length, enabled: 38, set_aside: 1, due: 0, unsent: 0, oldest_unsent: null, next_due: iso(40), runs: 91222, missed: {merged: 3, misfire: 0, catchup: 0, late: 4}, skipped: {overlap: 12, refused: 0}, schedulers: w.workers.length ? [{id: 'b1', host: 'batch-1', pid: 612, started_at: iso(-9e5), seen_at: iso(-1), seen_ago: 1.2, lag: 0.012, max_lag: 0.4, fires: 81220, clock_off: 0, state: 'running', lacks: ''}] : []})],
  ['GET', 'server', () => serverFacts()],
  ['GET', 'audit', () => ({items: w.audit})],
];

function push(topic, data) {
  for (const s of streams) if (s.topics.includes(topic)) s.res.write(`event: ${topic}\nid: ${++s.n}\ndata: ${JSON.stringify({at: iso(0), ...data})}\n\n`);
}

// With a snapshot first; while away, only that it is so.
function events(req, res, q) {
  const s = {res, topics: (q.get('topics') || '').split(','), n: 0};
  res.writeHead(200, {'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store'});
  res.flushHeaders();
  streams.add(s);
  req.on('close', () => streams.delete(s));
  if (mode === 'away') return res.write(`event: stale\ndata: ${JSON.stringify({since: iso(-12), why: 'the store at 10.0.4.2 does not answer'})}\n\n`);
  const full = {overview, queues: () => ({items: w.queues}), workers: () => ({items: w.workers}), running: () => tasksList(new URLSearchParams('state=running')), schedules: () => page(w.schedules, new URLSearchParams()), dead: () => page(w.dead, new URLSearchParams()), workflows: () => ({items: w.workflows, more: false}), limits: () => ({items: w.limits})};
  for (const topic of s.topics) if (full[topic]) res.write(`event: ${topic}\nid: ${++s.n}\ndata: ${JSON.stringify({snapshot: true, at: iso(0), ...full[topic]()})}\n\n`);
}

async function api(req, res, path, q) {
  const chunks = [];
  for await (const c of req) chunks.push(c);
  const text = Buffer.concat(chunks).toString(), body = text ? JSON.parse(text) : {};
  if (req.method !== 'GET') calls.push({method: req.method, path, body});
  if (path === 'events') {
    if (!sse) { res.writeHead(502); return res.end(); }
    return events(req, res, q);
  }
  const parts = path.split('/').map(decodeURIComponent);
  const route = routes.find(([m, p]) => m === req.method && p.split('/').length === parts.length && p.split('/').every((x, i) => x.startsWith(':') || x === parts[i]));
  if (!route) throw new Fault(404, 'not_found', `there is no ${req.method} ${path}`);
  if (!logged && !route[3]) throw new Fault(401, 'unauthorized', 'log in first');
  if (mode === 'away' && !route[3]) throw new Fault(503, 'unreachable', 'Redis at 10.0.4.2:6379: connection refused');
  const answer = await route[2]({id: parts[1], verb: parts[2], q, body, req});
  const [status, value] = Array.isArray(answer) ? answer : [200, answer];
  res.writeHead(status, {'Content-Type': 'application/json', 'Cache-Control': 'no-store', ETag: value?.updated_at ? `"${value.updated_at}"` : '"x"'});
  res.end(value === undefined ? undefined : JSON.stringify(value));
}

async function file(res, name) {
  const bytes = await readFile(name === 'chart.js' ? CHART : join(UI, name));
  res.writeHead(200, {'Content-Type': TYPES[name.split('.').at(-1)], 'Cache-Control': 'public, max-age=31536000, immutable', 'X-Content-Type-Options': 'nosniff'});
  res.end(bytes);
}

async function index(res) {
  const values = {base: prefix + '/', hash: HASH, version: '0.1.0', label: 'staging', colour: '#d97706', readonly: String(readonly)};
  const html = (await readFile(join(UI, 'index.html'), 'utf8')).replace(/\{\{(\w+)\}\}/g, (_, name) => values[name]);
  res.writeHead(200, {'Content-Type': TYPES.html, 'Content-Security-Policy': CSP, 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer', 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Resource-Policy': 'same-origin', 'Cache-Control': 'no-cache'});
  res.end(html);
}

const server = createServer(async (req, res) => {
  const url = new URL(req.url, 'http://x');
  try {
    if (url.pathname === '/mock' && req.method === 'POST') {
      const chunks = [];
      for await (const c of req) chunks.push(c);
      const order = JSON.parse(Buffer.concat(chunks).toString() || '{}');
      if (order.push) push(order.push, order.data);
      else { streams.forEach(s => s.res.destroy()); reset(order); }
      res.writeHead(200);
      return res.end(JSON.stringify(calls));
    }
    if (url.pathname === '/mock') { res.writeHead(200); return res.end(JSON.stringify(calls)); }
    if (!url.pathname.startsWith(prefix + '/')) { res.writeHead(404); return res.end(); }
    const path = url.pathname.slice(prefix.length + 1);
    if (path.startsWith('api/v1/')) return await api(req, res, path.slice(7), url.searchParams);
    if (path.startsWith(`static/${HASH}/`) && !path.includes('..')) return await file(res, path.slice(HASH.length + 8));
    if (path === 'metrics') { res.writeHead(200, {'Content-Type': 'text/plain'}); return res.end('# EOF\n'); }
    await index(res);
  } catch (error) {
    if (res.headersSent) return res.end();
    const status = error.status || (error.code === 'ENOENT' ? 404 : 500);
    if (status === 500) console.error(error);
    res.writeHead(status, {'Content-Type': 'application/problem+json', ...(status === 503 ? {'Retry-After': '5'} : {})});
    res.end(JSON.stringify(error.body || {status, code: 'internal', detail: error.message}));
  }
});
server.listen(Number(process.env.MOCK_PORT || 0), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}${prefix}/`));
