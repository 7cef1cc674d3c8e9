// SPDX-License-Identifier: MIT
'use strict';
const Queue = require('bee-queue');
const load = require('../common/load');

const GROUP = 1000;
const queue = new Queue('bench', {
  redis: { path: process.env.BENCH_SOCKET },
  isWorker: false,
  getEvents: process.argv[2] === 'latency',
  storeJobs: false,
});

async function many(n) {
  for (let i = 0; i < n; i += GROUP)
    await queue.saveAll(Array.from({ length: Math.min(GROUP, n - i) },
                                   () => queue.createJob({})));
}

// A job may have succeeded before save() tells its id; its own events would be
// lost then.
const waiting = new Map(), early = new Set();

queue.on('job succeeded', (id) => {
  if (waiting.has(id))
    waiting.get(id)();
  else
    early.add(id);
  waiting.delete(id);
});

async function call(begun) {
  const { id } = await queue.createJob({ stamp: true, begun }).save();

  if (!early.delete(id))
    await new Promise((done) => waiting.set(id, done));
}

queue.ready().then(
    () => load.main(() => queue.createJob({}).save(), many, call));
