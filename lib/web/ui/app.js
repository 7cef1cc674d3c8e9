/* SPDX-License-Identifier: MIT */
/* The frame of the pages: routes, navigation, state of the connection. */
import {fill, h, u} from './h.js';
import {Problem, del, get, me} from './api.js';
import {dur, zone} from './fmt.js';
import {forget, keepFocus} from './focus.js';
import {icon} from './icons.js';
import {bindKeys, helpDialog} from './keys.js';
import * as live from './live.js';
import {button, link, modal, problem, skeleton, toast} from './parts.js';

export const env = document.querySelector('meta[name=flowrra]').dataset;

/* Views are loaded when their page is; the groups of a path are its parameters. */
const routes = [
  [/^$/, 'overview'], [/^queues$/, 'queues'], [/^queues\/([^/]+)$/, 'queues', 'detail'],
  [/^tasks$/, 'tasks'], [/^tasks\/([^/]+)$/, 'task', 'view', 'tasks'],
  [/^workers$/, 'workers'], [/^workers\/([^/]+)$/, 'workers', 'detail'],
  [/^schedules$/, 'schedules'], [/^schedules\/new$/, 'schedule_form', 'form', 'schedules'],
  [/^schedules\/([^/]+)$/, 'schedule', 'view', 'schedules'],
  [/^schedules\/([^/]+)\/edit$/, 'schedule_form', 'form', 'schedules'],
  [/^workflows$/, 'workflows'], [/^workflows\/([^/]+)$/, 'workflows', 'detail'],
  [/^limits$/, 'limits'], [/^calendar$/, 'calendar'], [/^dead$/, 'dead'], [/^enqueue$/, 'enqueue'],
  [/^health$/, 'health'], [/^login$/, 'login'], [/^about$/, 'about'],
];
const pages = [['overview', '', 'Overview'], ['queues', 'queues', 'Queues'], ['tasks', 'tasks', 'Tasks'],
  ['workers', 'workers', 'Workers'], ['schedules', 'schedules', 'Schedules'], ['workflows', 'workflows', 'Workflows'], ['limits', 'limits', 'Limits'], ['calendar', 'calendar', 'Calendar'],
  ['dead', 'dead', 'Dead'], ['enqueue', 'enqueue', 'Enqueue'], ['health', 'health', 'Health'], ['about', 'about', 'About']];
/* The rest is behind "More" on a phone. */
const first = ['overview', 'queues', 'tasks', 'schedules'];

const root = new URL(document.baseURI);
const pathOf = url => decodeURI(url.pathname).startsWith(decodeURI(root.pathname)) ?
  url.pathname.slice(root.pathname.length).replace(/\/$/, '') : null;

const main = h('main', {id: 'main', tabindex: -1});
const nav = h('nav', {'aria-label': 'Pages'});
const status = h('div.connection', {role: 'status', 'aria-live': 'off'});
const controls = h('div.controls');
let control = null, here = null;

/* --- routing ----------------------------------------------------------------- */

export function go(path, {replace} = {}) {
  const url = new URL(path, root);
  history[replace ? 'replaceState' : 'pushState'](null, '', url);
  return render();
}

class Context {
  constructor(params, signal, stays) {
    Object.assign(this, {params, signal, stays, go, query: new URLSearchParams(location.search),
      name: h('h1', {tabindex: -1}), sub: h('div'), actions: h('div.actions'), body: h('div.body', skeleton(8))});
    this.header = h('header.page', h('div', this.name, this.sub), this.actions);
  }
  show(...children) { fill(this.body, ...children); }
  /* The page's name, what can be done there, and what stands below the name. */
  head(title, actions, sub) {
    document.title = `${title} – ${env.label ? env.label + ' – ' : ''}Flowrra`;
    fill(this.name, u(title));
    fill(this.sub, sub);
    fill(this.actions, ...[actions]);
    /* Readers begin with the page's name; once, for it is drawn again and again. */
    if (!this.named && !this.stays) this.name.focus({preventScroll: true});
    this.named = true;
  }
  /* Changes the page's query; null takes a member out. The view stays. */
  setQuery(members, push) {
    for (const [name, value] of Object.entries(members))
      if (value === null || value === undefined || value === '') this.query.delete(name);
      else this.query.set(name, value);
    const url = new URL(location.href);
    url.search = this.query.toString();
    history[push ? 'pushState' : 'replaceState'](null, '', url);
  }
  watch(topics, onEvent) { live.watch(topics, onEvent, this.signal); }
  /* Runs a part of the page again, as after an action. */
  reload() { return render(true); }
}

export async function render(stay) {
  control?.abort();
  control = new AbortController();
  const {signal} = control;
  const path = pathOf(new URL(location.href)) ?? '';
  const found = routes.find(([pattern]) => pattern.test(path));
  here = found ? found[3] || found[1] : null;
  drawNav();
  const ctx = new Context(found ? found[0].exec(path).slice(1).map(decodeURIComponent) : [], signal, stay);
  document.body.classList.toggle('bare', here === 'login');
  if (!stay) {
    forget();
    main.replaceChildren(ctx.header, ctx.body);
    scrollTo(0, 0);
  }
  live.idle();
  try {
    if (!found) throw new Problem(404, {detail: `There is no page "${path}"`});
    const view = await import(`./views/${found[1]}.js`);
    if (signal.aborted) return;
    await view[found[2] || 'view'](ctx);
    if (signal.aborted) return;
    if (stay) main.replaceChildren(ctx.header, ctx.body);
  } catch (error) {
    if (signal.aborted || error.name === 'AbortError') return;
    main.replaceChildren(ctx.header, ctx.body);
    if (!ctx.named)
      ctx.head(pages.find(([id]) => id === here)?.[2] || 'Not found', []);
    fill(ctx.body, problem(error, () => render()));
  }
}

document.addEventListener('click', event => {
  const a = event.target.closest('a[href]');
  if (!a || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey ||
      event.shiftKey || event.altKey || a.target || a.hasAttribute('download')) return;
  const url = new URL(a.href), path = pathOf(url);
  if (url.origin !== location.origin || path === null || !routes.some(([p]) => p.test(path))) return;
  event.preventDefault();
  document.querySelector('dialog[open]')?.close();
  go(url.href);
});
addEventListener('popstate', () => render());
/* Charts are drawn in the colours of their time. */
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => render(true));
document.addEventListener('flowrra:entered', () => drawControls());
document.addEventListener('flowrra:login', () => {
  if (here !== 'login') go('login?next=' + encodeURIComponent((pathOf(new URL(location.href)) || '') + location.search), {replace: true});
});

/* --- the frame --------------------------------------------------------------- */

function drawNav() {
  const item = ([id, path, name]) => h('li', {'data-page': id, 'data-first': first.includes(id)},
    h('a', {href: path || './', 'aria-current': id === here ? 'page' : null}, icon(id), h('span', name),
      h('span.count', {'data-count': id}, counts[id])));
  fill(nav, h('a.brand', {href: './', tabindex: -1, 'aria-hidden': 'true'}, h('img', {src: icon_url, alt: '', width: 24, height: 24}), 'Flowrra'),
    h('ul', pages.filter(([id]) => id !== 'enqueue' || me.role === 'operator').map(item), h('li.more', h('button', {type: 'button', onclick: moreDialog}, icon('more'), h('span', 'More')))));
}
const icon_url = document.querySelector('link[rel=icon]').getAttribute('href');

const counts = {};
export function count(numbers) {
  for (const [id, n] of Object.entries(numbers)) counts[id] = n ? String(n) : null;
  for (const el of nav.querySelectorAll('[data-count]')) el.textContent = counts[el.dataset.count] || '';
}

function moreDialog() {
  modal('Pages', h('ul.morelist', pages.filter(([id]) => !first.includes(id)).map(([id, path, name]) =>
    h('li', link(path, icon(id), name)))), h('div.morelist', themeButton(), zoneButton(), userPart())).showModal();
}

const modes = {live: ['success', 'Live'], paused: ['pause', 'Paused'], polling: ['reload', 'Polling every 5 s'],
  connecting: ['reload', 'Connecting'], idle: ['check', 'Loaded'], stale: ['warning', 'Stale']};
function drawStatus() {
  const {mode, since, why} = live.state, [sign, name] = modes[mode];
  const text = mode === 'stale' ? `Stale for ${dur(Math.max(1, Math.round((Date.now() - since) / 1000)))}` : name;
  fill(status, h('span.pill', {'data-mode': mode, title: why || null}, icon(sign), h('span', text)));
  document.body.dataset.mode = mode;
}

let said = '';
live.onState(() => {
  drawStatus();
  drawControls();
  const {mode, why} = live.state;
  if (mode === said) return;
  if (mode === 'stale') toast(`No fresh data: ${why}. What is shown may be old.`, 'bad');
  said = mode;
});
setInterval(() => { if (live.state.mode === 'stale') drawStatus(); }, 1000);

export function togglePause() { live.pause(!live.isPaused()); }

function themeButton() {
  const order = ['system', 'light', 'dark'], now = document.documentElement.dataset.theme || 'system';
  return button('', now, () => {
    const to = order[(order.indexOf(now) + 1) % 3];
    if (to === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = to;
    try { localStorage.setItem('flowrra.theme', to); } catch { /* for this visit */ }
    drawControls();
    render(true);
  }, {kind: 'ghost', title: `Theme: ${now}`, 'aria-label': `Theme: ${now}`, 'data-do': 'theme'});
}

function zoneButton() {
  const local = zone.local;
  return button(local ? 'Local' : 'UTC', null, () => {
    try { localStorage.setItem('flowrra.zone', local ? 'utc' : 'local'); } catch { /* stays UTC */ }
    drawControls();
    render(true);
  }, {kind: 'ghost', title: `Times are in ${zone.name}`, 'data-do': 'zone', 'aria-label': `Times in ${local ? 'local time' : 'UTC'}; switch`});
}

function userPart() {
  if (!me.user) return null;
  return h('span.user', icon('user'), h('span', u(me.user), h('span.dim', ` ${me.read_only ? 'read only' : me.role}`)),
    button('', 'out', async () => {
      try { await del('session'); } catch (error) { return toast(error.message, 'bad'); }
      me.user = null;
      go('login');
    }, {kind: 'ghost', title: 'Log out', 'aria-label': 'Log out'}));
}

function drawControls() {
  const paused = live.isPaused();
  fill(controls, status, button('', paused ? 'play' : 'pause', togglePause, {kind: 'ghost', 'data-do': 'pause',
    title: paused ? 'Go on (p)' : 'Pause updates (p)', 'aria-label': 'Pause updates', 'aria-pressed': String(paused)}),
  h('span.wide', zoneButton(), themeButton(), button('', 'help', helpDialog, {kind: 'ghost', title: 'Keyboard (?)', 'aria-label': 'Keyboard help'}), userPart()));
}

/* The label and colour of the environment, so that production looks like it. */
function environment() {
  if (env.colour && CSS.supports('color', env.colour))
    document.documentElement.style.setProperty('--env', env.colour);
  return env.label ? h('span.env', u(env.label)) : null;
}

async function start() {
  const skip = h('a.skip', {href: location.href.split('#')[0] + '#main', onclick: event => {
    event.preventDefault();
    main.focus();
  }}, 'Skip to the content');
  document.body.replaceChildren(skip, h('div.frame', nav, h('div.column',
    h('header.top', environment(), h('div.grow'), controls), main)),
  h('div', {id: 'toasts', role: 'status', 'aria-live': 'polite'}),
  h('div.sr', {id: 'polite', 'aria-live': 'polite'}));
  try {
    Object.assign(me, await get('me'));
  } catch (error) {
    if (error.status !== 401) toast(error.message, 'bad');
  }
  if (env.readonly === 'true' || env.readonly === '1' || env.readonly === 'yes') me.read_only = true;
  keepFocus(document.querySelector('.frame'));
  drawStatus();
  drawControls();
  bindKeys({go, togglePause});
  await render();
}

start();
