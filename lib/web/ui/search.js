/* SPDX-License-Identifier: MIT */
/*
 * The search line: `task:resize queue:io error:"disk full" args.user.id:42
 * after:-2h`. What it says stands in the page's URL, word by word. A bare word
 * is a task's ID.
 */
import {fill, h, u} from './h.js';
import {known, query} from './api.js';
import {clip, moment} from './fmt.js';
import {icon} from './icons.js';

export const REASONS = ['failed', 'timeout', 'crashed', 'cancelled', 'expired', 'malformed',
  'unknown', 'unregistered', 'result'];

/* Completion is a help: without an answer there is none. */
const names = (path, key) => known(path).then(r => r.items.map(i => i[key]), () => []);

const fields = {
  task: ['name of the task', () => names('registry', 'name')],
  queue: ['queue', () => names('queues', 'queue')],
  worker: ['worker', () => names('workers', 'worker')],
  reason: ['why it failed', async () => REASONS],
  error: ['a part of the error', async () => []],
  'args.': ['an argument: args.0:5', async () => []],
  'kwargs.': ['a keyword argument: kwargs.user.id:42', async () => []],
  after: ['since: -2h, 2026-11-29T12:00', async () => ['-15m', '-1h', '-2h', '-24h', '-7d']],
  before: ['until: -2h, 2026-11-29T12:00', async () => ['-15m', '-1h', '-2h', '-24h', '-7d']],
};

const isField = name => fields[name] || /^k?wargs\..|^args\../.test(name);

/* Words with their places: [{from, to, key, value, quoted}] */
export function words(line) {
  const out = [], pattern = /(?:([A-Za-z_]\w*(?:\.[^\s:"]+)*):)?("(?:\\.|[^"\\])*"?|\S+)|([A-Za-z_]\w*(?:\.[^\s:"]*)*):/g;
  for (const m of line.matchAll(pattern)) {
    const raw = m[2] ?? '';
    const value = raw.startsWith('"') ?
      raw.slice(1, raw.length > 1 && raw.endsWith('"') ? -1 : undefined).replace(/\\(.)/g, '$1') : raw;
    out.push({from: m.index, to: m.index + m[0].length, key: m[1] || m[3] || null, value});
  }
  return out;
}

/* {filter, ids: [bare words], fault: null or a sentence} */
export function parse(line, allowed = Object.keys(fields)) {
  const filter = {}, ids = [];
  let fault = null;
  for (const {key, value, from} of words(line)) {
    const field = key && (/^(args|kwargs)\./.test(key) ? key.replace(/\..*/, '.') : key);
    if (!key) ids.push(value);
    else if (!isField(key) || !allowed.includes(field))
      fault = `Column ${from + 1}: "${key}" is not a field here; fields are ${allowed.join(', ')}`;
    else if (value === '') fault = `Column ${from + 1}: ${key}: needs a value`;
    else if ((key === 'after' || key === 'before') && moment(value) === null)
      fault = `Column ${from + 1}: "${clip(value, 40)}" is not a time; write -2h, or 2026-11-29T12:00`;
    else filter[key] = value;
  }
  return {filter, ids, fault};
}

const quote = value => /[\s"\\]|^$/.test(value) ?
  `"${value.replace(/["\\]/g, '\\$&')}"` : value;
export const write = filter => Object.entries(filter)
  .filter(([, v]) => v !== null && v !== undefined && v !== '')
  .map(([k, v]) => `${k}:${quote(String(v))}`).join(' ');

/* Of a page's query, what belongs to the filter. */
export const filterOf = search => Object.fromEntries([...search].filter(([k]) => isField(k)));

/* As the API takes it: moments are made once, for a cursor is bound to them. */
export function fixed(filter) {
  const out = {...filter};
  for (const key of ['after', 'before'])
    if (out[key]) out[key] = moment(out[key]) ?? out[key];
  return out;
}
export const filterQuery = (filter, more = {}) => query({...more, ...fixed(filter)});

let lists = 0;

/* onSearch({filter, ids}) */
export class SearchLine {
  constructor({filter, onSearch, allowed = Object.keys(fields), example}) {
    const id = `search-list-${++lists}`;
    Object.assign(this, {onSearch, allowed, options: [], at: -1});
    this.list = h('ul.options', {id, role: 'listbox', 'aria-label': 'Suggestions', hidden: true});
    this.fault = h('p.fault', {id: id + '-fault', role: 'alert'});
    this.input = h('input', {type: 'text', role: 'combobox', 'data-search': '', value: write(filter),
      'aria-label': 'Search tasks', 'aria-expanded': 'false', 'aria-controls': id,
      'aria-autocomplete': 'list', 'aria-describedby': id + '-fault', autocomplete: 'off',
      spellcheck: 'false', autocapitalize: 'off', placeholder: example,
      oninput: () => this.suggest(), onfocus: () => this.suggest(), onkeydown: e => this.key(e),
      onblur: () => setTimeout(() => this.close(), 150)});
    this.el = h('form.search', {role: 'search', onsubmit: event => {
      event.preventDefault();
      this.submit();
    }}, icon('search'), this.input, h('kbd', {'aria-hidden': 'true'}, '/'), this.list, this.fault);
  }

  submit() {
    const {filter, ids, fault} = parse(this.input.value, this.allowed);
    this.close();
    this.fault.textContent = fault || '';
    this.input.setAttribute('aria-invalid', String(!!fault));
    if (!fault) this.onSearch({filter, ids});
  }

  say(fault) { this.fault.textContent = fault; }

  async suggest() {
    const caret = this.input.selectionStart;
    const word = words(this.input.value).find(w => w.from <= caret && caret <= w.to);
    const ask = this.asked = {};
    let options;
    if (word?.key) {
      const of = fields[word.key];
      options = of && this.allowed.includes(word.key) ? (await of[1]())
        .filter(v => v.toLowerCase().includes(word.value.toLowerCase())).slice(0, 8)
        .map(v => ({text: `${word.key}:${quote(v)} `, shown: v})) : [];
    } else {
      const begun = word ? word.value.toLowerCase() : '';
      options = this.allowed.filter(f => f.startsWith(begun))
        .map(f => ({text: f.endsWith('.') ? f : f + ':', shown: f.endsWith('.') ? f : f + ':', more: fields[f][0]}));
    }
    if (ask !== this.asked || document.activeElement !== this.input) return;
    this.word = word || {from: caret, to: caret};
    this.options = options.filter(o => o.text.trim() !== this.input.value.slice(this.word.from, this.word.to));
    this.at = -1;
    this.draw();
  }

  draw() {
    const open = this.options.length > 0;
    this.list.hidden = !open;
    this.input.setAttribute('aria-expanded', String(open));
    if (this.at >= 0) this.input.setAttribute('aria-activedescendant', `${this.list.id}-${this.at}`);
    else this.input.removeAttribute('aria-activedescendant');
    fill(this.list, this.options.map((option, i) => h('li',
      {id: `${this.list.id}-${i}`, role: 'option', 'aria-selected': String(i === this.at),
        'data-i': i, onmousedown: event => { event.preventDefault(); this.take(i); }},
      h('span.mono', u(clip(option.shown, 60))), option.more && h('span.dim', option.more))));
  }

  take(i) {
    const {text} = this.options[i], line = this.input.value;
    this.input.value = line.slice(0, this.word.from) + text + line.slice(this.word.to).replace(/^ /, '');
    this.input.selectionStart = this.input.selectionEnd = this.word.from + text.length;
    this.suggest();
  }

  key(event) {
    const n = this.options.length, open = !this.list.hidden;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      if (!n) return;
      event.preventDefault();
      this.at = (this.at + (event.key === 'ArrowDown' ? 1 : n === 1 ? 0 : -1) + n) % n;
      if (this.at < 0) this.at = n - 1;
      this.draw();
    } else if ((event.key === 'Enter' || event.key === 'Tab') && open && this.at >= 0) {
      event.preventDefault();
      this.take(this.at);
    } else if (event.key === 'Escape') {
      event.stopPropagation();
      if (open) this.close();
      else this.input.blur();
    }
  }

  close() {
    this.asked = null;
    this.options = [];
    this.draw();
  }
}
