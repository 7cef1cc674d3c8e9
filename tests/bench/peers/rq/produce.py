# SPDX-License-Identifier: MIT
import os
import time

import redis
from rq import Queue

import load
import tasks

queue = Queue(connection=redis.Redis(unix_socket_path=os.environ["BENCH_SOCKET"]))
GROUP = 1000


def many(n):
    for i in range(0, n, GROUP):
        queue.enqueue_many([Queue.prepare_data(tasks.noop)
                            for _ in range(min(GROUP, n - i))])


def call(begun_us):
    job = queue.enqueue(tasks.stamp, begun_us)
    # It tells nobody when a job is done.
    while not job.get_status(refresh=True) == "finished":
        time.sleep(0.001)


load.main(lambda: queue.enqueue(tasks.noop), many, call)
