/* SPDX-License-Identifier: MIT */
/* Calls of the JSON API. All paths are relative to <base href>. */

export class Problem extends Error {
  constructor(status, body = {}, retryAfter = 0) {
    super(body.detail || `the server answered ${status}`);
    Object.assign(this, {status, code: '', field: null, hint: null,
      request_id: null}, body, {retryAfter});
  }
}

/* Not randomUUID(): it is missing where the page came by plain HTTP. */
function key() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(random, b => b.toString(16).padStart(2, '0')).join('');
}

async function problemOf(answer) {
  let body = {};
  try { body = await answer.json(); } catch { /* a proxy's page, say */ }
  return new Problem(answer.status, body,
    Number(answer.headers.get('Retry-After')) || 0);
}

export async function call(method, path, body, {signal, headers = {}} = {}) {
  let answer;
  if (method === 'POST') headers = {'Idempotency-Key': key(), ...headers};
  if (method !== 'GET') {
    headers = {'Content-Type': 'application/json', ...headers};
    if (body === undefined && method !== 'DELETE') body = {};
  }
  try {
    answer = await fetch('api/v1/' + path, {method, headers, signal,
      body: body === undefined ? undefined :
        typeof body === 'string' ? body : JSON.stringify(body),
      credentials: 'same-origin', cache: 'no-store'});
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem(0, {code: 'offline', detail: 'flowrra-web does not answer'});
  }
  if (answer.ok) return answer;
  const problem = await problemOf(answer);
  if (problem.status === 401 && path !== 'session' && path !== 'me')
    document.dispatchEvent(new CustomEvent('flowrra:login'));
  throw problem;
}

async function json(answer) {
  const text = await answer.text();
  return text === '' ? null : JSON.parse(text);
}

export const get = async (path, options) => json(await call('GET', path, undefined, options));
export const post = async (path, body, options) => json(await call('POST', path, body, options));
export const put = async (path, body, options) => json(await call('PUT', path, body, options));
export const del = async (path, body, options) => json(await call('DELETE', path, body, options));

/* A path with its names escaped: at`queues/${name}/pause` */
export const at = (strings, ...names) =>
  String.raw({raw: strings}, ...names.map(encodeURIComponent));

/* A query from members that are set. */
export function query(members) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(members))
    if (value !== null && value !== undefined && value !== '')
      search.set(name, value);
  const text = search.toString();
  return text ? '?' + text : '';
}

/* Who looks; filled at the start. */
export const me = {user: null, role: 'viewer', read_only: false};
export const mayWrite = () => me.role === 'operator' && !me.read_only;

/* Lists that completion and forms need: asked for once, and again after a minute. */
const kept = new Map();
export function known(path) {
  const old = kept.get(path);
  if (old && Date.now() - old.at < 60000) return old.answer;
  const answer = get(path).catch(error => { kept.delete(path); throw error; });
  kept.set(path, {at: Date.now(), answer});
  return answer;
}
