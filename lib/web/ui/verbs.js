/* SPDX-License-Identifier: MIT */
/* What may be done to tasks, one or many: after a dry run, and as a command. */
import {at, del, post} from './api.js';
import {clip, num, plural, word} from './fmt.js';
import {ask, each, toast} from './parts.js';
import {ctl} from './shell.js';

/* What may be done to a task in a state: verb, sign, request. */
export const VERBS = {
  cancel: {sign: 'cancel', title: 'Cancel', key: 'c', danger: true, states: ['pending', 'delayed', 'running', 'retrying'],
    text: 'Waiting ones are taken out and fail with the reason "cancelled"; for running ones the workers are told to end them.',
    run: id => post(at`tasks/${id}/cancel`), ctl: id => ctl('cancel', word(id))},
  run: {sign: 'play', title: 'Run now', states: ['delayed', 'retrying'], text: 'They are put into their queue at once.',
    run: id => post(at`tasks/${id}/run`), path: id => at`tasks/${id}/run`},
  retry: {sign: 'retry', title: 'Retry', key: 'r', states: ['failed'], text: 'They go back into their queues, with all their attempts.',
    run: id => post(at`tasks/${id}/retry`), ctl: id => ctl('tasks', 'retry', word(id))},
  delete: {sign: 'trash', title: 'Delete', danger: true, states: ['failed', 'success'], text: 'The record, and the dead task, are gone for good.',
    run: id => del(at`tasks/${id}`), ctl: id => ctl('tasks', 'delete', word(id))},
};

export async function actOn(verb, ids, states) {
  const v = VERBS[verb], fits = ids.filter(id => !states || v.states.includes(states.get(id)));
  const skipped = ids.length - fits.length, one = ids.length === 1;
  return ask({title: `${v.title} ${one ? clip(ids[0], 40) : plural(ids.length, 'task')}?`, verb: v.title, danger: v.danger, text: v.text,
    dry: one ? null : async () => fits.length ? `This would ${v.title.toLowerCase()} ${plural(fits.length, 'task')}` +
      (skipped ? `; ${num(skipped)} of the selection cannot be, in their state.` : '.') : null,
    ctl: v.ctl?.(one ? ids[0] : '$ID'), request: {method: verb === 'delete' ? 'DELETE' : 'POST',
      path: verb === 'delete' ? at`tasks/${ids[0]}` : at`tasks/${ids[0]}/${verb}`},
    run: async show => {
      if (one) return await v.run(ids[0]) || {};
      const result = await each(fits, v.run, show);
      if (result.failed.length)
        toast(`${num(result.failed.length)} refused: ${clip(result.failed[0].error.message, 120)}`, 'bad');
      return result;
    }, done: r => one ? `${v.title}: ${r.outcome || 'done'}` : `${v.title}: ${num(r.done)} done${r.stopped ? ', stopped' : ''}`});
}
