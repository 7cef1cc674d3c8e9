// SPDX-License-Identifier: MIT
'use strict';
const Queue = require('bee-queue');
const ledger = require('../common/ledger');

const queue = new Queue('bench', {
  redis: { path: process.env.BENCH_SOCKET },
  getEvents: false,
  storeJobs: false,
});

queue.process(100, async (job) => {
  if (job.data.stamp)
    ledger.stamp(job.data.begun);
  else
    ledger.note();
});
