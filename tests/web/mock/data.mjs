// SPDX-License-Identifier: MIT
// What the mock server tells: rich, the same in each run, and hostile in places.

let seed = 7;
// mulberry32: ids of its bits do not repeat.
export function random() {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), seed | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const pick = list => list[Math.floor(random() * list.length)];
const iso = s => new Date(Date.now() + s * 1000).toISOString().replace('Z', '000Z');
const hex = n => Array.from({length: n}, () => Math.floor(random() * 16).toString(16)).join('');
const uuid = () => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`;

// Names that strangers might choose: each would show if a text became HTML, if
// a terminal's or a direction's command worked, or if a page cannot take much.
export const HOSTILE = {
  html: '<img src=x onerror="window.hostile=1"><script>window.hostile=1</script>',
  bidi: 'invoice\u202egpj.exe\u202c',
  ansi: '\u001b[31mred\u001b[0m\u0007',
  quote: `"'><svg/onload=window.hostile=1>\\`,
  long: 'x'.repeat(1024 * 1024),
};

const NAMES = ['resize', 'mail.send', 'mail.digest', 'report.monthly', 'invoice.render', 'search.index',
  'cache.warm', 'webhook.deliver', 'video.transcode', 'user.export', 'backup.verify', 'geo.lookup'];
const QUEUES = ['io', 'cpu', 'mail', 'media', 'reports', 'low'];
const ERRORS = [['failed', 'ConnectionError: smtp.example.com:587 refused the connection'], ['timeout', 'the attempt took longer than 30 s'],
  ['crashed', 'the executor ended by signal 11 (SIGSEGV) in libvips.so.42'], ['failed', 'disk full: /srv/media/tmp: no space left on device'],
  ['failed', 'HTTP 503 from https://hooks.example.net/v2/orders'], ['expired', 'the task expired before it could run']];
const WORKERS = ['web-1.example.net-4127', 'web-2.example.net-3310', 'media-1.example.net-911', 'batch-1.example.net-77', 'batch-2.example.net-78'];

const argsOf = name => ({
  resize: {args: [{w: 640, h: 480, src: `s3://media/${hex(6)}.jpg`}], kwargs: {}},
  'mail.send': {args: [], kwargs: {to: `user${Math.floor(random() * 900)}@example.com`, template: 'welcome', user: {id: Math.floor(random() * 100)}}},
  'video.transcode': {args: [`/srv/in/${hex(8)}.mov`], kwargs: {preset: pick(['720p', '1080p', '4k']), audio: true}},
}[name] || {args: [Math.floor(random() * 1000), pick(['a', 'b', 'c'])], kwargs: random() < 0.4 ? {dry_run: false, tenant: pick(['acme', 'globex'])} : {}});

function task(state, i) {
  const name = pick(NAMES), queue = pick(QUEUES), t = {task_id: uuid(), status: state === 'delayed' ? 'pending' : state, state, task_name: name,
    queue, priority: pick([0, 0, 0, -5, 10]), ...argsOf(name), submitted_at: iso(-i * 7 - 20 - random() * 5), started_at: null, finished_at: null,
    retries: 0, max_retries: 3, worker: null, progress: null, error: null, reason: null, result: null};
  if (state === 'delayed') t.due_at = iso(i * 31 + 12);
  if (['running', 'success', 'failed', 'retrying'].includes(state)) {
    t.worker = pick(WORKERS);
    t.started_at = iso(-i * 7 - 15 + random());
  }
  if (state === 'running' && random() < 0.7) t.progress = {done: Math.floor(random() * 100), total: 100, text: pick(['frames', 'rows', 'part 3 of 9'])};
  if (state === 'success' || state === 'failed') t.finished_at = iso(-i * 7 - 14 + random() * 6);
  if (state === 'success') t.result = {ok: true, bytes: Math.floor(random() * 1e6), sizes: [640, 480]};
  if (state === 'failed' || state === 'retrying') {
    [t.reason, t.error] = pick(ERRORS);
    t.retries = state === 'failed' ? 3 : 1 + Math.floor(random() * 2);
  }
  if (state === 'retrying') { t.due_at = iso(i * 13 + 5); t.reason = null; }
  return t;
}

const SCHEMA = {type: 'object', required: ['src', 'width'], description: 'Makes a smaller copy of an image and stores it beside the original.', properties: {
  src: {type: 'string', title: 'Source', description: 'Path, or s3:// URL, of the image.', minLength: 1},
  width: {type: 'integer', minimum: 1, maximum: 10000, default: 640}, quality: {type: 'number', minimum: 0, maximum: 1, description: '0 to 1.'},
  format: {enum: ['jpeg', 'png', 'webp'], default: 'webp'}, keep: {type: 'boolean', title: 'Keep the original'},
  tags: {type: 'array', items: {type: 'string'}}, crop: {type: 'object', properties: {x: {type: 'integer'}, y: {type: 'integer'}}}, meta: {type: 'object'}}};

function workers() {
  return WORKERS.map((worker, i) => ({worker, state: ['running', 'running', 'running', 'quiet', 'dead'][i], in_flight: [14, 9, 4, 2, 3][i], host: worker.split('-').slice(0, 2).join('-'),
    pid: 4127 + i, version: i === 2 ? '0.0.9' : '0.1.0', started_at: iso(-86400 * (i + 0.3)), uptime: 86400 * (i + 0.3), queues: i === 2 ? ['media', 'cpu'] : ['io', 'mail', 'low'],
    slots: {io: {slots: 32, tasks: [12, 8, 0, 2, 3][i]}, cpu: {slots: 4, tasks: [2, 1, 4, 0, 0][i]}}, memory: {flowrrad: 9437184, total: 158334976 + i * 4e7,
      executors: [{pid: 5001 + i, kind: 'io', bytes: 1e8}, {pid: 5101 + i, kind: 'cpu', bytes: 4.8e7 + i * 4e7}]}, totals: {succeeded: 182934 - i * 20000, failed: 211 + i, retried: 900, crashed: i},
    reloads: {count: 2, error: null}, refused: i === 3 ? ['/usr/lib/flowrra/video.so: undefined symbol: vips_init'] : [], heartbeat_age: [0.4, 2.1, 1.2, 0.9, 41][i], modules: ['demo', 'mail', 'media']}));
}

const queueOf = (queue, i) => ({queue, waiting: [1284, 96, 33, 41, 7, 15872][i] ?? 3, delayed: [12, 0, 140, 2, 0, 900][i] ?? 0, in_flight: [14, 7, 4, 4, 0, 0][i] ?? 0, dead: [22, 3, 61, 9, 0, 0][i] ?? 1,
  oldest_at: iso(-[41, 3, 12, 380, 2, 5200][i] || -5), next_due_at: iso(40), paused: i === 5, set_aside: 0, unknown: i === 3 ? ['video.thumbnail'] : [],
  age: [41, 3, 12, 380, 2, 5200][i] ?? 5, rate: [612.4, 88.2, 41, 6.6, 1.2, 0][i] ?? 2, drain: [126, 65, 48, 373, 350, null][i] ?? 90, spark: Array.from({length: 5}, () => Math.floor(random() * 90) + (i < 2 ? 200 : 4))});

function workflows() {
  const step = (name, state, after = [], role = 'step') => ({task_id: `w1.${name}`, role, place: state === 'waiting' ? state : 'ended', outcome: null, after: after.map(a => `w1.${a}:success`), state, task_name: role === 'step' ? 'resize' : null, step: name, after_steps: role === 'step' ? after : [`on ${role}`]});
  const flow = (workflow, label, state, tasks) => ({workflow, label, state, on_failure: 'continue', begun_at: iso(-90), moved_at: iso(-4), ended_at: state === 'succeeded' ? iso(-4) : null, life: 86400, steps: tasks.length, waiting: 1, released: 1, succeeded: 1, failed: 1, skipped: 1, tasks, more: false});
  return [flow('w1', HOSTILE.html, 'running', [step('fetch', 'success'), step(HOSTILE.bidi || 'left', 'failed', ['fetch']), step('right', 'running', ['fetch']), step('join', 'skipped', ['right']), step('last', 'waiting', ['right']), step('tell', 'waiting', [], 'failure')]),
    flow('w2', null, 'succeeded', [step('only', 'success')])];
}

const limits = () => [['io', 'queue', null, 40, null], ['io', 'task', 'resize', 3, 2], ['mail', 'each_group', null, null, 100], ['io', 'group', HOSTILE.html, 1, null]]
  .map(([queue, scope, key, concurrency, rate], i) => ({id: [queue, scope, key].filter(x => x !== null).join(' '), queue, scope, key, by: i > 1 ? 'kwargs.tenant' : null, concurrency, rate, period: rate && 60, burst: rate && 5,
    running: i, held: i * 1200, held_since: i ? iso(-700) : null, declared_by: i === 1 ? WORKERS[0] : null, disputed_by: i === 1 ? WORKERS[1] : null}));

function schedules() {
  const rules = [['cron', '0 9 * * MON-FRI', 'at 09:00, Monday to Friday'], ['cron', '*/5 * * * *', 'every 5 minutes'], ['interval', '300', 'every 5 min'],
    ['cron', '30 2 * * *', 'at 02:30, every day'], ['once', iso(7200), 'once'], ['cron', '0 0 1 * *', 'at 00:00 on the first of the month']];
  return Array.from({length: 42}, (_, i) => {
    const [type, rule, words] = rules[i % rules.length], state = i === 4 ? 'set aside' : i % 11 === 7 ? 'disabled' : 'enabled';
    return {id: uuid(), task: NAMES[i % NAMES.length], type, rule, state, tz: type === 'cron' ? pick(['Europe/Berlin', 'UTC', 'America/New_York']) : 'UTC', args: [i], kwargs: {},
      enabled: state !== 'disabled', next_run: state === 'enabled' ? iso(60 * (i + 1) * 7) : null, last_run: iso(-600 * (i + 1)), runs: 1200 - i * 7, queue: i % 3 ? null : 'reports', max_retries: null,
      retry_delay: null, timeout: null, expires: null, priority: 0, description: i % 2 ? `Nightly job ${i} for the reporting team` : null, fault: state === 'set aside' ? 'the zone "Mars/Base" is unknown' : null,
      misfire: 'once', max_catchup: 1000, grace: null, overlap: 'skip', jitter: null, day_match: 'or', start_at: null, end_at: null, max_runs: 0, created_at: iso(-8e6), updated_at: iso(-8e5),
      words, missed: i % 9 === 3 ? 4 : 0, spark: Array.from({length: 12}, () => Math.floor(random() * 6))};
  });
}

export function world() {
  seed = 7;
  const w = {tasks: [], dead: [], workers: workers(), queues: QUEUES.map(queueOf), schedules: schedules(), workflows: workflows(), limits: limits(), audit: []};
  const sizes = {pending: 320, delayed: 120, running: 27, retrying: 40, success: 320, failed: 173};
  for (const [state, n] of Object.entries(sizes)) for (let i = 0; i < n; i++) w.tasks.push(task(state, i));
  const evil = [HOSTILE.html, HOSTILE.bidi, HOSTILE.ansi, HOSTILE.quote];
  for (const state of Object.keys(sizes)) {
    const mine = w.tasks.filter(t => t.state === state);
    evil.forEach((text, i) => Object.assign(mine[i + 2], {task_name: text, queue: i === 0 ? 'io' : text.slice(0, 40), args: [text], kwargs: {[text]: text}, error: mine[i + 2].error && text}));
    Object.assign(mine[7], {args: [HOSTILE.long], kwargs: {blob: HOSTILE.long}, error: mine[7].error && HOSTILE.long, result: mine[7].result && HOSTILE.long});
  }
  w.queues.push(queueOf(HOSTILE.html, 9));
  w.workers[1].host = HOSTILE.bidi;
  Object.assign(w.schedules[2], {description: HOSTILE.html, task: HOSTILE.ansi});
  w.dead = w.tasks.filter(t => t.state === 'failed').slice(0, 95).map((t, i) => ({key: t.task_id, task_id: t.task_id, task_name: t.task_name, queue: t.queue, died_at: t.finished_at, reason: t.reason,
    error: t.error, worker: t.worker, attempts: 4, args: t.args, kwargs: t.kwargs}));
  w.dead.unshift({key: 'x-unreadable-1', task_id: null, task_name: null, queue: 'io', died_at: iso(-30), reason: 'malformed', error: 'the task is not valid JSON at byte 17', worker: WORKERS[0], attempts: 1, args: null, kwargs: null});
  w.audit = Array.from({length: 24}, (_, i) => ({at: iso(-i * 640), user: pick(['anna', 'token:ci', 'ben']), role: 'operator', peer: '10.0.4.' + i, action: pick(['queue.pause', 'tasks.cancel', 'dead.retry', 'schedule.edit']),
    target: i === 3 ? HOSTILE.html : pick(['io', uuid(), 'mail']), count: Math.floor(random() * 40), outcome: i % 7 === 5 ? 'refused' : 'done', request_id: hex(12)}));
  w.registry = NAMES.map((name, i) => ({name, queue: QUEUES[i % 5], cpu_bound: i % 4 === 0, max_retries: 3, retry_delay: 5, timeout: i % 3 ? 30 : 0, description: ['Makes thumbnails', 'Sends one mail', 'Sends the digest of a day'][i % 3],
    params: name === 'resize' ? SCHEMA : null, placeholders: name === 'backup.verify' ? ['0', 'host'] : [], workers: i === 11 ? 0 : 3}));
  return w;
}

export const empty = () => ({tasks: [], dead: [], workers: [], queues: [], schedules: [], workflows: [], limits: [], audit: [], registry: []});

export function series(name, from, to, step, none) {
  const points = [], buckets = Array.from({length: 28}, (_, i) => 0.001 * 2 ** (i * 0.75));
  const n = Math.min(2200, Math.round((to - from) / step / 1000));
  for (let i = 0; i < n && !none; i++) {
    const at = new Date(from + i * step * 1000).toISOString(), wave = 1 + 0.5 * Math.sin(i / 9) + 0.25 * Math.sin(i / 2.3);
    if (name === 'tasks') points.push({at, succeeded: Math.round(640 * wave), failed: Math.round(9 * wave * (i % 13 === 4 ? 9 : 1)), retried: Math.round(22 * wave)});
    else {
      const mid = 12 + 2 * Math.sin(i / 8);
      points.push({at, counts: buckets.map((_, b) => Math.round(90 * Math.exp(-((b - mid) ** 2) / 9) + (b > 18 && b < 22 ? 1 : 0)))});
    }
  }
  const answer = {from: new Date(from).toISOString(), to: new Date(to).toISOString(), step, points};
  if (name !== 'tasks') Object.assign(answer, {buckets, p50: points.map((_, i) => 0.5 + 0.3 * Math.sin(i / 8)), p95: points.map((_, i) => 2.2 + Math.sin(i / 5)), p99: points.map((_, i) => 7 + 3 * Math.sin(i / 3))});
  return answer;
}
export {iso, uuid};
