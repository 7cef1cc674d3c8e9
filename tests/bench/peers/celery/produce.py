# SPDX-License-Identifier: MIT
import load
import tasks


def many(n):
    # There is no submission in bulk; one connection for all is the best.
    with tasks.app.producer_pool.acquire(block=True) as producer:
        for _ in range(n):
            tasks.noop.apply_async(producer=producer)


load.main(tasks.noop.delay, many,
          lambda begun: tasks.stamp.delay(begun).get(timeout=30))
