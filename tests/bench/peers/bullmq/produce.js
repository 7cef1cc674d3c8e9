// SPDX-License-Identifier: MIT
'use strict';
const { Queue, QueueEvents } = require('bullmq');
const load = require('../common/load');

const GROUP = 1000;
const connection = {
  path: process.env.BENCH_SOCKET,
  maxRetriesPerRequest: null
};
const queue = new Queue('bench', { connection });
const events = new QueueEvents('bench', { connection });

async function many(n) {
  for (let i = 0; i < n; i += GROUP)
    await queue.addBulk(
        Array.from({ length: Math.min(GROUP, n - i) },
                   () => ({ name: 'noop', data: {} })));
}

async function call(begun) {
  const job = await queue.add('stamp', { begun });

  await job.waitUntilFinished(events);
}

events.waitUntilReady().then(
    () => load.main(() => queue.add('noop', {}), many, call));
