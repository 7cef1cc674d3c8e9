/* SPDX-License-Identifier: MIT */
/* Numbers, durations and times as people read them. */

/* What hides, or turns a line around, is shown by name. */
const HIDDEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udc7f]/g;

function named(c) {
  const code = c.codePointAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return '\u2421';
  /* Joins letters: no danger. */
  if (code === 0x200d || code === 0x200c) return c;
  return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, '0')}\u27e9`;
}

export const visible = text => text.replace(HIDDEN, named);

export function clip(text, max = 160) {
  text = String(text ?? '');
  return text.length > max ? text.slice(0, max) + '\u2026' : text;
}

const plain = new Intl.NumberFormat('en', {maximumFractionDigits: 2});
const compact = new Intl.NumberFormat('en',
  {notation: 'compact', maximumFractionDigits: 1});

const given = n => n !== null && n !== undefined && Number.isFinite(Number(n));
export const NONE = '\u2013';
export const num = n => given(n) ? plain.format(n) : NONE;
export const short = (n, from = 10000) => !given(n) ? NONE :
  Math.abs(n) < from ? plain.format(Math.round(n * 10) / 10) :
    compact.format(n).replace('K', 'k');
export const plural = (n, one, many = one + 's') =>
  `${num(n)} ${Number(n) === 1 ? one : many}`;

export function bytes(n) {
  if (!given(n)) return NONE;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  for (; n >= 1024 && i < units.length - 1; i++) n /= 1024;
  return `${i && n < 100 ? n.toFixed(1) : Math.round(n)} ${units[i]}`;
}

/* "450 ms", "4.2 s", "3 min 20 s", "2 h 5 min", "3 d 4 h" */
export function dur(s) {
  if (!given(s)) return NONE;
  if (s < 0) return '-' + dur(-s);
  if (s === 0) return '0 s';
  if (s < 0.001) return `${Math.round(s * 1e6)} \u00b5s`;
  if (s < 1) return `${Math.round(s * 1e3)} ms`;
  if (s < 60) return `${s < 10 ? Math.round(s * 10) / 10 : Math.round(s)} s`;
  const units = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  s = Math.round(s);
  const i = units.findIndex(([size]) => s >= size);
  const [size, name] = units[i], rest = units[i + 1];
  const more = rest ? Math.floor(s % size / rest[0]) : 0;
  return `${Math.floor(s / size)} ${name}` + (more ? ` ${more} ${rest[1]}` : '');
}

/* --- times ----------------------------------------------------------------- */

export const zone = {
  get local() {
    try { return localStorage.getItem('flowrra.zone') === 'local'; }
    catch { return false; }
  },
  get name() {
    return this.local ? Intl.DateTimeFormat().resolvedOptions().timeZone : 'UTC';
  },
};

/* Seconds since 1970 with their microseconds, which Date has not; null if none. */
export function exact(iso) {
  const whole = Date.parse(iso ?? '');
  if (isNaN(whole)) return null;
  const fraction = /\.(\d+)/.exec(iso);
  return fraction ? Math.floor(whole / 1000) + Number(`0.${fraction[1]}`) : whole / 1000;
}
export const between = (from, to) => from && to ? Math.max(0, Number((exact(to) - exact(from)).toFixed(6))) : null;

export function parts(date, tz = zone.local ? undefined : 'UTC') {
  const format = new Intl.DateTimeFormat('en-CA', {timeZone: tz,
    year: 'numeric', month: '2-digit', day: '2-digit', weekday: 'short',
    hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23'});
  return Object.fromEntries(format.formatToParts(date).map(p => [p.type, p.value]));
}

export function clock(date, seconds = true) {
  const p = parts(date);
  return `${p.hour}:${p.minute}` + (seconds ? `:${p.second}` : '');
}

export function stamp(iso) {
  const date = new Date(iso);
  if (iso === null || iso === undefined || isNaN(date)) return NONE;
  const p = parts(date);
  return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}:${p.second}`;
}

export function ago(iso, now = Date.now()) {
  const s = (now - new Date(iso)) / 1000;
  if (!Number.isFinite(s)) return NONE;
  if (Math.abs(s) < 1) return 'now';
  const text = dur(Math.abs(s) < 60 ? Math.round(Math.abs(s)) : Math.abs(s))
    .split(' ').slice(0, 2).join(' ');
  return s > 0 ? `${text} ago` : `in ${text}`;
}

/* "-2h", "1h30m", "90" in seconds; null if it is none. */
export function seconds(text) {
  const sizes = {ms: 0.001, s: 1, m: 60, h: 3600, d: 86400, w: 604800, '': 1};
  const match = /^(-?)((?:\d+(?:\.\d+)?(?:ms|[smhdw]?))+)$/.exec(text.trim());
  if (!match) return null;
  let total = 0;
  for (const [, n, unit] of match[2].matchAll(/(\d+(?:\.\d+)?)(ms|[smhdw]?)/g))
    total += n * sizes[unit];
  return match[1] ? -total : total;
}

/* A moment of a filter as the API wants it; what is relative is so to now. */
export function moment(text) {
  const s = seconds(text);
  if (s !== null) return new Date(Date.now() - Math.abs(s) * 1000).toISOString();
  const date = new Date(/\d$/.test(text) && /[T ]/.test(text) ? text.replace(' ', 'T') + 'Z' : text);
  return isNaN(date) ? null : date.toISOString();
}

/* --- shells ---------------------------------------------------------------- */

/* A word as a POSIX shell takes it, with $'…' for what is hidden. */
export function word(text) {
  text = String(text);
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  if (visible(text) === text) return `'${text.replaceAll("'", `'\\''`)}'`;
  return `$'${text.replace(/[\\']/g, '\\$&').replace(HIDDEN, c => {
    const code = c.charCodeAt(0).toString(16);
    return `\\u${code.padStart(4, '0')}`;
  })}'`;
}
