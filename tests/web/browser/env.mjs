// SPDX-License-Identifier: MIT
// Where the pages are, and what can be asked of the mock server.

import {equal, open, real, settled} from './harness.mjs';

export const env = {mock: null, url: null};

const headers = () => real && process.env.FLOWRRA_WEB_TOKEN ? {Authorization: `Bearer ${process.env.FLOWRRA_WEB_TOKEN}`} : {};
export const ask = async path => (await fetch(env.url + 'api/v1/' + path, {headers: headers()})).json();

// A list is sent a line each, and the answer is their text.
export async function tell(method, path, body) {
  const lines = Array.isArray(body);
  const answer = await fetch(env.url + 'api/v1/' + path, {method, headers: {...headers(), 'Content-Type': lines ? 'application/x-ndjson' : 'application/json'},
    body: lines ? body.map(x => JSON.stringify(x) + '\n').join('') : JSON.stringify(body)});
  const text = await answer.text();
  if (!answer.ok || /"(error|code)":/.test(lines ? text : '')) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 500)}`);
  return lines ? text : text && JSON.parse(text);
}

// All pages, with things that are there.
export async function pages() {
  const first = async (path, key) => (await ask(path)).items?.[0]?.[key];
  const [failed, done, running, queue, worker, schedule, dead, flow] = await Promise.all([first('tasks?state=failed', 'task_id'), first('tasks?state=success', 'task_id'), first('tasks?state=running', 'task_id'),
    first('queues', 'queue'), first('workers', 'worker'), first('schedules', 'id'), first('dead', 'key'), first('workflows', 'workflow')]);
  const e = encodeURIComponent;
  return Object.entries({overview: '', queues: 'queues', queue: queue && `queues/${e(queue)}`, tasks: 'tasks', delayed: 'tasks?state=delayed', running: 'tasks?state=running', retrying: 'tasks?state=retrying',
    succeeded: 'tasks?state=success', failed: 'tasks?state=failed', task: failed && `tasks/${e(failed)}`, 'task-done': done && `tasks/${e(done)}`, 'task-running': running && `tasks/${e(running)}`, 'task-dead': dead && `tasks/${e(dead)}`,
    workers: 'workers', worker: worker && `workers/${e(worker)}`, schedules: 'schedules', schedule: schedule && `schedules/${e(schedule)}`, 'schedule-new': 'schedules/new?task=resize', 'schedule-edit': schedule && `schedules/${e(schedule)}/edit`,
    limits: 'limits', workflows: 'workflows', workflow: flow && `workflows/${e(flow)}`, calendar: 'calendar', dead: 'dead', enqueue: 'enqueue', health: 'health', about: 'about', login: 'login'}).filter(([, path]) => path !== undefined);
}

export const reset = order => env.mock?.set(order || {});

// Opens, runs, closes; a page on which something was refused or thrown has failed.
export async function on(path, options, run) {
  const page = await open(env.url, path, options);
  try {
    await settled(page);
    const answer = await run(page);
    equal(page.faults, [], `faults on ${path || 'overview'}`);
    return answer;
  } finally {
    await page.finish();
  }
}
