/* SPDX-License-Identifier: MIT */
/* The form that makes a schedule or changes one, with its next fires beside it. */
import {fill, h, u} from '../h.js';
import {Problem, at, call, known, mayWrite, post} from '../api.js';
import {clip} from '../fmt.js';
import {fireList} from '../fires.js';
import {argumentForm, blame, field} from '../forms.js';
import {button, card, empty, link, modal, problem, shellLines, tabs, toast} from '../parts.js';
import {scheduleLine} from '../shell.js';

const RULES = {cron: ['Cron expression', '0 9 * * MON-FRI', 'Five fields: minute, hour, day of month, month, day of week; @daily, L, W, #, H are known.'],
  interval: ['Period', '5m', 'Such as 90, 5m or 1h30m; it fires at its start and after each full period.'],
  once: ['Moment', 'in 10m', 'Such as 2026-12-24T18:00:00+01:00, or in 10m.']};
const select = (values, value) => h('select', {value}, values.map(([v, t]) => h('option', {value: v}, t)));
const input = (value, more = {}) => h('input', {type: 'text', value: value ?? '', spellcheck: 'false', autocomplete: 'off', ...more});

const zones = () => h('datalist', {id: 'zones'},
  ['UTC', ...(Intl.supportedValuesOf?.('timeZone') || [])].map(z => h('option', {value: z})));

/* Members of the body that are not of the rule, each with its field. */
function settings(s) {
  const one = (name, label, control, help, read = v => v, bad = 'This is not a number') => ({name, box: field({label, help, fault: name}, control), read, bad});
  const n = v => v === '' ? null : Number(v), object = v => { try { return v === '' ? null : JSON.parse(v); } catch { return NaN; } };
  return [
    one('queue', 'Queue', input(s.queue), "The task's own, if empty."), one('group', 'Group', input(s.group), 'The group that limits of the queue count its tasks in.'), one('description', 'Description', input(s.description)),
    one('misfire', 'Missed fires', select([['once', 'the latest becomes a task'], ['all', 'all become tasks'], ['skip', 'none becomes one']], s.misfire || 'once'), 'After the scheduler was away.'),
    one('overlap', 'Overlap', select([['allow', 'fire while the last task runs'], ['skip', 'skip the fire'], ['replace', 'cancel the last task']], s.overlap || 'allow')),
    one('grace', 'Grace', input(s.grace), 'Drop a fire that is later than this many seconds.', n), one('jitter', 'Jitter', input(s.jitter), 'Delay each fire by up to this many seconds.', n),
    one('priority', 'Priority', input(s.priority, {inputmode: 'numeric'}), 'Lower numbers run first.', n), one('max_retries', 'Retries', input(s.max_retries, {inputmode: 'numeric'}), "The task's own, if empty.", n),
    one('timeout', 'Time limit', input(s.timeout), 'Seconds of one attempt.', n), one('expires', 'Expires', input(s.expires), 'Do not start its tasks this many seconds after the fire.', n),
    one('start_at', 'Not before', input(s.start_at)), one('end_at', 'Not after', input(s.end_at)), one('max_runs', 'Runs at most', input(s.max_runs || '', {inputmode: 'numeric'}), null, n),
    one('workflow', 'Workflow', h('textarea.mono', {rows: 6, spellcheck: 'false', value: s.workflow ? JSON.stringify(s.workflow, null, 1) : ''}), 'Begin this workflow instead of a task, which is its name then: a file as of workflow submit.', object, 'This is not JSON')];
}

/* What the schedule is now, from the page's query (of Enqueue) or the server. */
async function given(ctx) {
  if (ctx.params[0]) {
    const answer = await call('GET', at`schedules/${ctx.params[0]}`, undefined, {signal: ctx.signal});
    return [await answer.json(), answer.headers.get('ETag')];
  }
  const q = ctx.query, read = name => { try { return JSON.parse(q.get(name) || 'null'); } catch { return null; } };
  return [{task: q.get('name') || q.get('task'), args: read('args'), kwargs: read('kwargs'), queue: q.get('queue'), type: 'cron', rule: '', tz: Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC'}, null];
}

export async function form(ctx) {
  const [s, etag] = await given(ctx), editing = !!ctx.params[0];
  const tasks = (await known('registry')).items;
  if (!mayWrite()) throw new Problem(403, {});
  let type = s.type || 'cron', args = null, picked = null;
  const task = field({label: 'Task', required: true, fault: 'task', help: 'A registered task; of a workflow, its name.'}, input(s.task, {list: 'tasks', oninput: () => drawArgs()}));
  const tz = field({label: 'Time zone', fault: 'tz', help: 'The expression is read in this zone.'}, input(s.tz || 'UTC', {list: 'zones'}));
  const rule = field({label: 'Rule', required: true, fault: 'rule', help: ' '}, input(s.rule, {class: 'mono'}));
  const id = field({label: 'ID', fault: 'id', help: 'A new UUID, if empty.'}, input('')), more = settings(s), start = h('label.check', h('input', {type: 'checkbox', checked: s.enabled !== false}), 'Enabled');
  const kinds = h('div'), argBox = h('div'), preview = h('div', {'aria-live': 'polite'}), trouble = h('div');
  const el = h('form.stack', {onsubmit: save, oninput: () => later(), novalidate: ''}, trouble,
    card('What', task, argBox, h('datalist', {id: 'tasks'}, tasks.map(t => h('option', {value: t.name})))),
    card('When', kinds, rule, tz, zones()),
    h('details.card', h('summary', 'Settings'), h('div.fields', more.map(m => m.box), editing ? null : id)), start,
    h('footer', h('button.primary', {type: 'submit'}, editing ? 'Save' : 'Create'), button('Copy as', 'shell', () => {
      const body = bodyOf();
      if (body) modal('Copy as a command', shellLines({ctl: scheduleLine(body), method: 'POST', path: 'schedules', body})).showModal();
    }, {kind: 'ghost'}), link(editing ? at`schedules/${s.id}` : 'schedules', 'Cancel')));

  function drawArgs() {
    const found = tasks.find(t => t.name === task.control.value);
    if (args && found === picked) return;
    picked = found;
    args = argumentForm(found, {args: s.args, kwargs: s.kwargs});
    fill(argBox, found?.description && h('p.help', u(clip(found.description, 400))), args.el);
  }
  function drawKind() {
    fill(kinds, tabs('Kind of rule', [['cron', 'Cron'], ['interval', 'Interval'], ['once', 'Once']], type, to => { type = to; drawKind(); later(); }));
    const [label, hint, help] = RULES[type];
    rule.querySelector('label').firstChild.data = label;
    rule.control.placeholder = hint;
    rule.querySelector('.help').textContent = help;
    tz.hidden = type !== 'cron';
  }
  /* Null, and the fields say why, if one of them is not right. */
  function bodyOf() {
    let read;
    try { read = args.read(); } catch (error) { fill(trouble, problem(new Problem(422, {detail: error.message}))); return null; }
    const body = {task: task.control.value.trim(), type, rule: rule.control.value.trim(), ...read};
    if (type === 'cron') body.tz = tz.control.value.trim() || 'UTC';
    for (const m of more) {
      const raw = m.box.control.value.trim(), value = m.read(raw);
      if (Number.isNaN(value)) { m.box.say(m.bad); return null; }
      if (value !== null && value !== '') body[m.name] = value;
    }
    if (!editing && id.control.value) body.id = id.control.value;
    if (!start.firstChild.checked) body.enabled = false;
    return body;
  }
  let timer = null, asked = 0;
  function later() { clearTimeout(timer); timer = setTimeout(look, 250); }
  async function look() {
    const text = rule.control.value.trim(), mine = ++asked;
    rule.say('');
    tz.say('');
    if (!text) return void fill(preview, empty('No rule yet', 'The next ten fires show here while it is written.'));
    try {
      const answer = await post('schedules/preview', {task: task.control.value || 'preview', type, rule: text, ...(type === 'cron' ? {tz: tz.control.value || 'UTC'} : {})}, {signal: ctx.signal});
      if (mine === asked) fill(preview, answer.words && h('p.strong', u(clip(answer.words, 200))), fireList(answer));
    } catch (error) {
      if (error.name === 'AbortError' || mine !== asked) return;
      const box = error.field === 'tz' ? tz : rule;
      if (error.status === 422 || error.status === 400) {
        box.say([error.column && `Column ${error.column}: `, error.message, error.hint && ` – ${error.hint}`].filter(Boolean).join(''));
        fill(preview, error.column ? marked(text, error) : null);
      } else fill(preview, problem(error, look));
    }
  }
  async function save(event) {
    event.preventDefault();
    fill(trouble, null);
    const body = bodyOf();
    if (!body) return;
    try {
      const answer = await call(editing ? 'PUT' : 'POST', editing ? at`schedules/${s.id}` : 'schedules', body,
        {signal: ctx.signal, headers: editing ? {'If-Match': etag || `"${s.updated_at}"`} : {}});
      const made = await answer.json();
      toast(editing ? 'Schedule saved' : made.existing ? 'An identical schedule exists' : 'Schedule created');
      ctx.go(at`schedules/${made.id || s.id}`);
    } catch (error) {
      if (error.name !== 'AbortError' && !blame(el, error)) fill(trouble, problem(error));
      trouble.scrollIntoView({block: 'nearest'});
    }
  }
  ctx.head(editing ? `Edit ${clip(s.task, 60)}` : 'New schedule', [], h('p.sub', link('schedules', 'Schedules')));
  ctx.show(h('div.split', el, h('aside.stack.sticky', {'aria-label': 'Preview'}, card('Preview', preview))));
  drawKind();
  drawArgs();
  look();
}

/* The expression with a mark below the place that is wrong. */
const marked = (text, {column, token}) => h('pre.code.mark', {role: 'img', 'aria-label': `The error is at column ${column}`},
  text, '\n', ' '.repeat(Math.max(0, column - 1)), h('strong', '^'.repeat(Math.max(1, token?.length || 1))));
