// SPDX-License-Identifier: MIT
'use strict';
const { Worker } = require('bullmq');
const ledger = require('../common/ledger');

new Worker('bench', async (job) => {
  if (job.name === 'stamp')
    ledger.stamp(job.data.begun);
  else
    ledger.note();
}, {
  connection: { path: process.env.BENCH_SOCKET, maxRetriesPerRequest: null },
  concurrency: 100,
});
