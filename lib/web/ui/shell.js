/* SPDX-License-Identifier: MIT */
/* The flowrractl command that does the same as a filter, a form or an action. */
import {word} from './fmt.js';

const options = (filter, names) => names.filter(n => filter[n])
  .map(n => `--${n === 'before' ? 'older-than' : n} ${word(String(filter[n]).replace(/^-/, ''))}`);

export const ctl = (...words) => ['flowrractl', ...words.filter(w => w !== null && w !== undefined && w !== '')]
  .join(' ');

const lists = {pending: 'pending', delayed: 'pending', running: 'running', retrying: 'pending',
  success: 'completed', failed: 'failed'};
export const tasksLine = (state, filter) =>
  ctl('tasks', lists[state] || 'pending', ...options(filter, ['queue', 'task']));

export const deadLine = (verb, filter, more = []) => {
  const given = options(filter, ['queue', 'task', 'error', 'reason', 'before']);
  return ctl('tasks', verb, ...(given.length || verb === 'dead' ? given : ['--all']), ...more);
};

const dashes = name => '--' + ({expires_at: 'expires'}[name] || name).replaceAll('_', '-');
const said = value => typeof value === 'string' ? value : JSON.stringify(value);

/* A submission: body of POST tasks. */
export function submitLine({name, args, kwargs, ...rest}) {
  const line = ['submit', word(name || 'NAME')];
  if (args?.length) line.push('--args', word(JSON.stringify(args)));
  if (kwargs && Object.keys(kwargs).length) line.push('--kwargs', word(JSON.stringify(kwargs)));
  for (const [key, value] of Object.entries(rest))
    if (value === true) line.push(dashes(key));
    else if (value !== null && value !== '' && value !== false) line.push(dashes(key), word(said(value)));
  return ctl(...line);
}

/* A schedule: body of POST schedules. */
export function scheduleLine({task, type, rule, args, kwargs, enabled, workflow, ...rest}) {
  const line = ['schedule', type, word(task || 'TASK'), word(rule || 'RULE')];
  if (args?.length) line.push('--args', word(JSON.stringify(args)));
  if (kwargs && Object.keys(kwargs).length) line.push('--kwargs', word(JSON.stringify(kwargs)));
  if (workflow) line.push('--workflow', 'FILE');
  if (enabled === false) line.push('--disabled');
  for (const [key, value] of Object.entries(rest))
    if (value !== null && value !== '' && value !== undefined) line.push(dashes(key), word(said(value)));
  return ctl(...line);
}
