/* SPDX-License-Identifier: MIT */
/*
 * Live updates: one event stream for what the page shows, or questions every
 * five seconds where no stream gets through.
 */
import {get} from './api.js';

const POLL_MS = 5000;
/* Streams that fail so often in a row, without an event, do not get through. */
const FAILURES = 3;
/* A browser has six connections to a server: hidden tabs give theirs back. */
const HIDDEN_MS = 10000;

export const state = {mode: 'connecting', since: 0, why: ''};
let paused = false, current = null;
const listeners = new Set();

function become(mode, since = Date.now(), why = '') {
  if (mode === state.mode && why === state.why) return;
  Object.assign(state, {mode, since, why});
  listeners.forEach(f => f());
}
export const onState = f => listeners.add(f);
export const isPaused = () => paused;

const paths = {overview: 'overview', queues: 'queues', workers: 'workers',
  running: 'tasks?state=running', schedules: 'schedules?order=next', dead: 'dead', workflows: 'workflows', limits: 'limits'};

class Watch {
  constructor(topics, onEvent) {
    Object.assign(this, {topics, onEvent, failures: 0, seen: Date.now()});
    this.begin();
  }

  begin() {
    this.ended = false;
    if (typeof EventSource === 'undefined' || this.failures >= FAILURES ||
        new URLSearchParams(location.search).get('live') === 'poll')
      return this.poll();
    become('connecting');
    this.source = new EventSource(
      'api/v1/events?topics=' + this.topics.map(encodeURIComponent).join(','));
    for (const topic of this.topics)
      this.source.addEventListener(topic, event => {
        this.alive();
        this.onEvent(topic, JSON.parse(event.data));
      });
    this.source.addEventListener('stale', event => {
      const data = JSON.parse(event.data);
      become('stale', Date.parse(data.since) || Date.now(), data.why || '');
    });
    this.source.addEventListener('live', () => this.alive());
    this.source.onopen = () => { if (state.mode !== 'stale') this.alive(); };
    this.source.onerror = () => this.failed();
  }

  alive() {
    this.failures = 0;
    this.seen = Date.now();
    become('live');
  }

  failed() {
    if (this.ended) return;
    this.failures++;
    become('stale', this.seen, 'flowrra-web does not answer');
    if (this.failures >= FAILURES || this.source.readyState === 2) {
      this.failures = FAILURES;
      this.source.close();
      this.poll();
    }
  }

  async poll() {
    clearTimeout(this.timer);
    if (this.ended) return;
    try {
      for (const topic of document.hidden ? [] : this.topics) {
        const id = topic.startsWith('task:') ? topic.slice(5) : null;
        const data = await get(id ? `tasks/${encodeURIComponent(id)}` : paths[topic]);
        if (this.ended) return;
        this.seen = Date.now();
        this.onEvent(topic, {...data, snapshot: true});
      }
      become('polling');
    } catch (error) {
      if (this.ended) return;
      become('stale', this.seen, error.message);
    }
    if (!this.ended) this.timer = setTimeout(() => this.poll(), POLL_MS);
  }

  end() {
    this.ended = true;
    clearTimeout(this.timer);
    this.source?.close();
  }
}

/* Follows topics until the signal. onEvent(topic, data). */
export function watch(topics, onEvent, signal) {
  current?.end();
  const mine = current = new Watch(topics, onEvent);
  if (paused) { mine.end(); become('paused'); }
  signal.addEventListener('abort', () => {
    mine.end();
    if (current === mine) current = null;
  });
}

export function pause(on) {
  paused = on;
  if (on) current?.end();
  become(on ? 'paused' : current ? 'connecting' : 'idle');
  if (!on) current?.begin();
}

/* A page that follows nothing. */
export const idle = () => become(paused ? 'paused' : 'idle');

let hidden;
document.addEventListener('visibilitychange', () => {
  clearTimeout(hidden);
  if (document.hidden)
    hidden = setTimeout(() => current?.end(), HIDDEN_MS);
  else if (!paused && current?.ended)
    current.begin();
});

/*
 * Keys that a page has and that are not there any more. What changed between the
 * page's own answer and the first event is told by that event alone, a snapshot: what
 * it lacks is gone, unless there is more than it has.
 */
export function gone(data, keys, key) {
  if (!data.items) return data.removed || [];
  const listed = new Set(data.items.map(row => row[key]));
  return data.next ? [] : keys.filter(one => !listed.has(one));
}

/* Applies {"changed", "removed"}, or a snapshot, to rows by their key. */
export function applyRows(rows, data, key) {
  if (data.items) {
    rows.clear();
    for (const row of data.items) rows.set(row[key], row);
    return;
  }
  for (const row of data.changed || []) rows.set(row[key], row);
  for (const one of data.removed || []) rows.delete(one);
}
