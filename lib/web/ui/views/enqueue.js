/* SPDX-License-Identifier: MIT */
/* Enqueue: a registered task, its arguments by their schema, and its options. */
import {fill, h, u} from '../h.js';
import {Problem, at, get, known, mayWrite, post} from '../api.js';
import {clip, dur, num, short} from '../fmt.js';
import {argumentForm, blame, field} from '../forms.js';
import {badge, button, card, copy, empty, firstTask, kv, modal, problem, shellLines, taskLink} from '../parts.js';
import {submitLine} from '../shell.js';

const input = (more = {}) => h('input', {type: 'text', spellcheck: 'false', autocomplete: 'off', ...more});
const number = v => v === '' ? null : Number(v);
/* A number of seconds, or a duration as the server reads it: "1h30m". */
const duration = v => v === '' ? null : /^\d+(\.\d+)?$/.test(v) ? Number(v) : v;
const text = v => v === '' ? null : v;

/* Of core/task_options.def, in its order. */
const OPTIONS = [
  ['id', 'Task ID', text, 'Refused if in use; a new UUID, if empty.'], ['queue', 'Queue', text, "The task's own, if empty."],
  ['priority', 'Priority', number, 'Lower numbers run first.', {inputmode: 'numeric'}], ['delay', 'Delay', duration, 'Run after this: 90, 10m.'],
  ['at', 'At', text, 'Run at this time: 2026-12-24T18:00:00Z.'], ['expires_at', 'Expires', text, 'Do not start after this time, or duration.'],
  ['max_retries', 'Retries', number, 'After a failure.', {inputmode: 'numeric'}], ['retry_delay', 'Retry delay', duration, 'Before a retry.'],
  ['retry_backoff', 'Backoff', number, 'Multiplies the delay after each retry.'], ['retry_delay_max', 'Longest delay', duration, 'Before a retry.'],
  ['retry_jitter', 'Retry jitter', number, 'The random part of each delay, 0 to 1.'], ['timeout', 'Time limit', duration, 'Of an attempt; 0: none.'],
  ['unique', 'Unique key', text, 'If a recent task has this key, nothing is queued.'], ['unique_ttl', 'Key lasts', duration, '1h, if empty; with the next ones 30d.'],
  ['unique_until', 'Until the task', text, '“start” or “end”: then the key is free.'],
  ['debounce', 'Debounce', duration, 'Run this long after the last task with the key.']];

function about(task) {
  return card('Task', h('p.strong', u(clip(task.name, 80))), task.description ? h('p', u(clip(task.description, 600))) : null, kv([
    ['Queue', h('a', {href: at`queues/${task.queue || ''}`}, u(clip(task.queue || '–', 60)))], ['Kind', task.cpu_bound ? 'CPU-bound' : 'I/O'],
    ['Retries', task.max_retries === null || task.max_retries === undefined ? 'as in [executor]' : num(task.max_retries)], ['Time limit', task.timeout ? dur(task.timeout) : 'none'],
    task.workers !== undefined && ['Workers', task.workers ? num(task.workers) : badge('warning', 'none alive has it')]]));
}

async function figures(box, name, signal) {
  try {
    const {figures: f} = await get(at`registry/${name}`, {signal});
    if (f) fill(box, card('Last hour', kv([['Succeeded', num(f.succeeded)], ['Failed', num(f.failed)], ['Retried', num(f.retried)],
      ['Median', dur(f.p50)], ['95 %', dur(f.p95)], ['99 %', dur(f.p99)]])));
  } catch { fill(box, null); }
}

export async function view(ctx) {
  if (!mayWrite()) throw new Problem(403, {});
  const tasks = (await known('registry')).items, q = ctx.query;
  const read = name => { try { return JSON.parse(q.get(name) || 'null'); } catch { return null; } };
  const given = {args: read('args'), kwargs: read('kwargs')};
  ctx.head('Enqueue', [], h('p.sub', 'Submits one task.'));
  if (!tasks.length) return ctx.show(card(null, empty('No task is registered', 'A worker registers the tasks of its modules when it starts.', firstTask())));
  let args = null, picked = null;
  const name = field({label: 'Task', required: true, fault: 'name', help: `${short(tasks.length)} registered; write a part of the name.`}, input({value: q.get('name') || tasks[0].name, list: 'tasks', oninput: pick}));
  const options = OPTIONS.map(([key, label, get, help, more]) => ({key, get, box: field({label, help, fault: key}, input({value: q.get(key) || '', ...more}))}));
  const force = h('input', {type: 'checkbox'}), argBox = h('div'), side = h('div'), numbers = h('div'), trouble = h('div'), answer = h('div', {'aria-live': 'polite'});
  const body = () => {
    const out = {name: name.control.value.trim(), ...args.read()};
    for (const o of options) {
      const value = o.get(o.box.control.value.trim());
      o.box.say('');
      if (Number.isNaN(value)) { o.box.say('This is not a number'); throw new Error(`${o.key} is not a number`); }
      if (value !== null) out[o.key] = value;
    }
    if (force.checked) out.force = true;
    return out;
  };
  const el = h('form.stack', {onsubmit: submit, novalidate: ''}, trouble, card('What', name, h('datalist', {id: 'tasks'}, tasks.map(t => h('option', {value: t.name}, clip(t.description || '', 60)))), argBox),
    h('details.card', {open: options.some(o => q.get(o.key) && o.key !== 'queue')}, h('summary', 'Options'), h('div.fields', options.map(o => o.box)), h('label.check', force, 'Submit although no worker has registered it (needs a queue)')),
    h('footer', h('button.primary', {type: 'submit'}, 'Submit'), button('Copy as', 'shell', show, {kind: 'ghost'}), button('Schedule instead', 'schedules', schedule, {kind: 'ghost'})), answer);

  /* While it is typed: only another task brings other fields. */
  function pick() {
    const task = tasks.find(t => t.name === name.control.value);
    if (args && task === picked) return;
    picked = task;
    args = argumentForm(task, given);
    fill(argBox, args.el);
    fill(side, task ? about(task) : card('Task', empty('Not registered', 'No worker has registered a task of this name.')));
    fill(numbers, null);
    if (task) figures(numbers, task.name, ctx.signal);
  }
  function attempt(f) {
    fill(trouble, null);
    try { return f(body()); } catch (error) { fill(trouble, problem(new Problem(422, {detail: error.message, hint: 'The field below says what it wants.'}))); }
  }
  function show() {
    attempt(b => modal('Copy as a command', shellLines({ctl: submitLine(b), method: 'POST', path: 'tasks', body: b})).showModal());
  }
  function schedule() {
    attempt(b => ctx.go('schedules/new?' + new URLSearchParams({task: b.name, args: JSON.stringify(b.args ?? []), kwargs: JSON.stringify(b.kwargs ?? {}), queue: b.queue || ''})));
  }
  async function submit(event) {
    event.preventDefault();
    const b = attempt(x => x);
    if (!b) return;
    try {
      const made = await post('tasks', b, {signal: ctx.signal}), id = made.task_id || made.id;
      fill(answer, h('div.banner', {'data-state': 'success'}, badge('success', 'Submitted'), taskLink(id, id), button('Copy ID', 'copy', () => copy(id), {kind: 'ghost'})));
      answer.scrollIntoView({block: 'nearest'});
    } catch (error) {
      if (error.name !== 'AbortError' && !blame(el, error)) fill(trouble, problem(error));
    }
  }
  pick();
  ctx.show(h('div.split', el, h('aside.stack', {'aria-label': 'About the task'}, side, numbers)));
}
