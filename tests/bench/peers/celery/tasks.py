# SPDX-License-Identifier: MIT
import os

from celery import Celery

import ledger

url = "redis+socket://" + os.environ["BENCH_SOCKET"]
app = Celery("bench", broker=url, backend=url)
app.conf.update(
    worker_prefetch_multiplier=100,
    task_serializer="json",
    result_expires=3600,
    worker_send_task_events=False,
)


@app.task
def noop():
    ledger.note()


@app.task
def stamp(begun_us):
    ledger.stamp(begun_us)
