/* SPDX-License-Identifier: MIT */
/* The parts of which pages are made. */
import {fill, h, svg, u} from './h.js';
import {Problem, call, del, get, mayWrite} from './api.js';
import {ago, clip, num, stamp, word, zone} from './fmt.js';
import {refocus} from './focus.js';
import {icon} from './icons.js';

/* --- small ones ------------------------------------------------------------- */

const words = {success: 'succeeded', in_flight: 'in flight'};
/* A state: sign, word and colour, so that no one of them stands alone. */
export const badge = (state, text) =>
  h(`span.badge.s-${String(state || 'unknown').replace(/[^a-z]/g, '-')}`,
    icon(state), text || words[state] || state || 'unknown');

export const when = (iso, both) => !iso ? h('span.dim', '–') :
  h('time', {datetime: iso, title: `${stamp(iso)} ${zone.name}`,
    'data-when': both ? null : 'ago'},
  both ? stamp(iso) : ago(iso), both && h('span.dim', {'data-when': iso}, ` ${ago(iso)}`));

/* Once a second, but only what has changed is written. */
setInterval(() => {
  for (const el of document.querySelectorAll('[data-when]')) {
    const text = el.localName === 'time' ? ago(el.dateTime) : ` ${ago(el.dataset.when)}`;
    if (el.textContent !== text) el.textContent = text;
  }
}, 1000);

export const link = (href, ...children) => h('a', {href}, ...children);
/* A link among buttons. */
export const linkButton = (text, sign, href, {kind = 'plain', key, ...more} = {}) =>
  h(`a.button.${kind}`, {href, 'data-key': key, 'aria-keyshortcuts': key, ...more}, icon(sign), h('span', text));
export const card = (title, ...children) =>
  h('section.card', {'aria-label': typeof title === 'string' ? title : null},
    title && h('h2', title), ...children);
export const kv = pairs => h('dl.kv', pairs.filter(Boolean)
  .map(([name, ...value]) => h('div', h('dt', name), h('dd', value))));
export const tile = (name, value, more, href, state) =>
  h(href ? 'a.tile' : 'div.tile', {href, 'data-state': state},
    h('span.name', name), h('span.value', value), h('span.more', more || '\u00a0'));

export function meter(used, total, label) {
  const part = total > 0 ? Math.min(1, used / total) : 0;
  return h('span.meter', {role: 'img', 'aria-label': `${label}: ${num(used)} of ${num(total)}`},
    h('span', {css: {'--part': part}}));
}

export function progress(p) {
  /* Modules report what they like: a percentage, or one of these pairs. */
  const it = p && typeof p === 'object' ? p : {done: p, total: 100};
  const total = it.total ?? it.of ?? 100, done = it.done ?? it.current ?? it.step ?? it.percent;
  if (typeof done !== 'number') return null;
  const part = total > 0 ? Math.min(1, done / total) : 0;
  return h('span.progress', h('progress', {max: 1, value: part, 'aria-label': 'progress'}),
    h('span', `${Math.round(part * 100)} %`), p.text && u(clip(p.text, 80)));
}

/* Counts of the last minutes, oldest first. */
export function spark(values, label = 'ended a minute') {
  const n = values?.length || 0;
  if (!n) return h('span.dim', '–');
  const max = Math.max(1, ...values), width = n > 12 ? 90 : n * 9;
  return svg('svg.spark', {viewBox: `0 0 ${width} 20`, role: 'img', width, height: 20,
    'aria-label': `${label}: ${values.join(', ')}`},
  values.map((v, i) => svg('rect', {x: i * width / n, width: width / n - 2,
    y: 20 - Math.max(1, 20 * v / max), height: Math.max(1, 20 * v / max), rx: 1})));
}

export function button(text, sign, onclick, {kind = '', key, title, ...more} = {}) {
  return h(`button.${kind || 'plain'}`, {type: 'button', onclick, title,
    'data-key': key, 'aria-keyshortcuts': key, ...more}, sign && icon(sign),
  text && h('span', text));
}
/* Of what only an operator may do: others do not see it. */
export const action = (...given) => mayWrite() ? button(...given) : null;

export const skeleton = (lines = 6) => h('div.skeleton', {'aria-hidden': 'true'},
  Array.from({length: lines}, () => h('span')));

export function empty(title, text, ...more) {
  return h('div.empty', icon('search'), h('p.title', title), text && h('p', text), ...more);
}

export const firstTask = () => h('div.first',
  h('p', 'Three commands to a first task:'),
  h('ol', ['flowrrad -o worker.modules=demo &', 'flowrractl submit add 2 3',
    'flowrractl tasks completed'].map(line => h('li', copyable(line)))));

/* --- copying ----------------------------------------------------------------- */

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    /* By plain HTTP there is no clipboard but the old one. */
    const area = h('textarea', {value: text, 'aria-hidden': 'true'});
    (document.querySelector('dialog[open]') || document.body).append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  toast('Copied');
}

export const copyable = text => h('span.copyable', h('code', text),
  button('', 'copy', () => copy(text), {title: 'Copy', kind: 'ghost', 'aria-label': 'Copy'}));

const base = () => new URL('api/v1/', document.baseURI).href;
export function curl({method = 'GET', path, body}) {
  const text = body === undefined ? '' : JSON.stringify(body);
  return ['curl -sS -H "Authorization: Bearer $FLOWRRA_TOKEN"',
    method !== 'GET' && `-X ${method}`,
    method !== 'GET' && method !== 'DELETE' &&
      `-H 'Content-Type: application/json' -d ${word(text || '{}')}`,
    word(base() + path)].filter(Boolean).join(' ');
}

/* The same by a shell: what people paste into tickets and scripts. */
export const shellLines = ({ctl, ...request}) => h('div.shell',
  ctl && h('div', h('span.dim', 'flowrractl'), copyable(ctl)),
  request.path && h('div', h('span.dim', 'curl'), copyable(curl(request))));

export const copyAs = make => button('Copy as', 'shell', () => {
  const dialog = modal('Copy as a command', shellLines(make()));
  dialog.showModal();
}, {kind: 'ghost', title: 'This as a flowrractl or curl command'});

/* --- messages ---------------------------------------------------------------- */

export function toast(text, kind = '') {
  const box = document.querySelector('#toasts');
  const one = h('div.toast', {'data-kind': kind}, icon(kind === 'bad' ? 'failed' : 'success'), text);
  box.append(one);
  setTimeout(() => one.remove(), kind === 'bad' ? 12000 : 4000);
}

/* Readers hear a summary, but not more than one in ten seconds. */
let last = 0, waiting = null, waitingText = '';
export function announce(text) {
  waitingText = text;
  if (waiting) return;
  waiting = setTimeout(() => {
    waiting = null;
    last = Date.now();
    document.querySelector('#polite').textContent = waitingText;
  }, Math.max(0, last + 10000 - Date.now()));
}

const remedies = {
  0: ['No connection', 'flowrra-web does not answer. systemctl status flowrra-web tells why.'],
  401: ['Not logged in', 'Log in; `flowrractl web` prints a login address.'],
  403: ['Not allowed', 'Your role may look, but not do this. An operator can.'],
  404: ['Not found', 'It may have been deleted, or its record has expired.'],
  409: ['Refused', 'It has changed meanwhile. Reload to see it as it is now.'],
  412: ['Changed meanwhile', 'Somebody else has saved a change. Reload, then make yours again.'],
  429: ['Too many requests', 'Wait a moment, then try again.'],
  503: ['Store unreachable', 'Is the store running? `flowrractl doctor` says what is wrong, and what to do.'],
  504: ['No answer in time', 'The store is slow or stands still. `flowrractl health` shows which part.'],
};

export function problem(error, retry) {
  const {status = -1, code, detail, hint, field, request_id: id} = error;
  const busy = code === 'busy';
  const [title, remedy] = busy ?
    ['Busy', 'All operation threads are at work. Try again in a moment.'] :
    remedies[status] || ['That did not work', null];
  if (!(error instanceof Problem)) console.error(error);
  return h('div.problem', {role: 'alert', 'data-status': status}, icon('warning'),
    h('div', h('p.title', title), h('p', field && h('code', field, ': '), clip(detail || error.message, 600)),
      (hint || remedy) && h('p.dim', hint || remedy),
      id && h('p.dim', 'Request ', h('code', id))),
    retry && button('Try again', 'retry', retry),
    status === 401 && link('login', 'Log in'));
}

/* --- dialogs ----------------------------------------------------------------- */

let titles = 0;
export function modal(title, ...children) {
  const id = `modal-${++titles}`;
  const dialog = h('dialog', {'aria-labelledby': id},
    h('header', h('h2', {id}, title), button('', 'x', () => dialog.close(),
      {kind: 'ghost', title: 'Close', 'aria-label': 'Close'})), ...children);
  const before = document.activeElement;
  dialog.addEventListener('click', event => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener('close', () => {
    dialog.remove();
    if (before?.isConnected) before.focus();
    refocus();
  });
  document.body.append(dialog);
  return dialog;
}

/* Follows a job until it ends; its owner may stop it. */
async function followJob(id, show) {
  for (;;) {
    const job = await get(`jobs/${encodeURIComponent(id)}`);
    show(job);
    if (job.state !== 'running') return job;
    await new Promise(resolve => setTimeout(resolve, 500));
  }
}

function jobLine(job, id) {
  return h('p.job', {'aria-live': 'off'}, h('progress', {'aria-label': 'job'}),
    `${num(job.done)} done`, button('Stop', 'stop', () =>
      del(`jobs/${encodeURIComponent(id)}`).catch(e => toast(e.message, 'bad'))));
}

/*
 * Asks, does, and tells. `dry` promises a sentence (and null where nothing would
 * be done); `type` is a name that has to be typed; `run(onStep)` replaces the
 * one request; `ctl` and `request` are shown for a shell.
 */
export function ask({title, text, danger, type, dry, request, ctl, run, verb, done}) {
  return new Promise(resolve => {
    let answered = null, ready = !dry, typed = !type;
    const status = h('div.status', {'aria-live': 'polite'});
    const go = button(verb || title, null, doIt, {kind: danger ? 'danger' : 'primary', disabled: true});
    const check = () => { go.disabled = !(ready && typed); };
    const field = type && h('label.field', h('span', 'Type ', h('code', type), ' to confirm'),
      h('input', {autocomplete: 'off', spellcheck: 'false',
        oninput: event => { typed = event.target.value === type; check(); }}));
    const dialog = modal(title, h('form', {method: 'dialog', onsubmit: event => {
      event.preventDefault();
      if (!go.disabled) doIt();
    }}, text && h('p', text), status, field,
    (ctl || request) && h('details', h('summary', 'The same in a shell'),
      shellLines({ctl, ...request})),
    h('footer', button(verb === 'Cancel' ? 'Back' : 'Cancel', null, () => dialog.close()), go)));
    dialog.addEventListener('close', () => resolve(answered));

    async function doIt() {
      go.disabled = true;
      try {
        let answer = run ? await run(line => fill(status, line)) :
          await call(request.method, request.path, request.body).then(a => a.status === 204 ? {} : a.json());
        if (answer.job && !answer.state)
          answer = await followJob(answer.job, job => fill(status, jobLine(job, answer.job)));
        if (answer.state === 'failed') throw new Problem(500, answer.error || {});
        answered = answer;
        dialog.close();
        const said = typeof done === 'function' ? done(answer.result || answer) : done;
        if (said) toast(said);
      } catch (error) {
        fill(status, problem(error));
        check();
        go.focus();
      }
    }
    check();
    if (dry) {
      fill(status, skeleton(1));
      dry().then(said => {
        ready = said !== null;
        fill(status, h('p.strong', said ?? 'Nothing matches: nothing would be done.'));
        check();
      }, error => fill(status, problem(error)));
    }
    dialog.showModal();
    (dialog.querySelector('input') || go.previousSibling || go).focus();
  });
}

/* One request for each of many, some at a time; what is refused is counted. */
export async function each(items, one, show) {
  let stopped = false, done = 0, next = 0;
  const failed = [];
  const stop = button('Stop', 'stop', () => { stopped = true; });
  async function lane() {
    while (!stopped && next < items.length) {
      const item = items[next++];
      try { await one(item); } catch (error) {
        if (error.status === 429) {
          next--;
          await new Promise(r => setTimeout(r, 1000 * (error.retryAfter || 1)));
          continue;
        }
        failed.push({item, error});
      }
      done++;
      show(h('p.job', h('progress', {max: items.length, value: done, 'aria-label': 'progress'}),
        `${num(done)} of ${num(items.length)}`, stop));
    }
  }
  await Promise.all([lane(), lane(), lane()]);
  return {done: done - failed.length, failed, stopped};
}

/* --- tasks ------------------------------------------------------------------- */

/* In a line of a table. */
export function brief(args, kwargs) {
  const list = (Array.isArray(args) ? args : args === undefined || args === null ? [] : [args])
    .map(a => clip(JSON.stringify(a), 40));
  for (const [name, value] of Object.entries(kwargs || {}))
    list.push(`${clip(name, 24)}=${clip(JSON.stringify(value), 40)}`);
  const joined = list.slice(0, 6).join(', ');
  return joined ? h('code.brief', {title: clip(joined, 400)}, u(clip(joined, 70))) : h('span.dim', '–');
}

export const taskLink = (id, text) => !id ? h('span.dim', 'unreadable') :
  h('a.mono', {href: `tasks/${encodeURIComponent(id)}`, title: id}, u(text || shortId(id)));
/* Of a UUID its end is enough to tell it from its neighbours: the beginning may be the time, which they share. */
export const shortId = id => /^[0-9a-f]{8}-[0-9a-f-]{27}$/.test(id) ? '\u2026' + id.slice(-12) : clip(id, 24);

export function tabs(label, items, current, onPick) {
  return h('div.tabs', {role: 'group', 'aria-label': label}, items.map(([id, name, count]) =>
    h('button', {type: 'button', 'aria-pressed': String(id === current), onclick: () => onPick(id)},
      name, count !== undefined && count !== null && h('span.count', num(count)))));
}
