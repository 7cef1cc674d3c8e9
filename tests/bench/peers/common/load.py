# SPDX-License-Identifier: MIT
"""The producer's side, for peers in Python. Usage: PROGRAM single N | bulk N |
latency RATE SECONDS. Prints tasks a second; or the latencies in µs, a line
each."""
import queue
import sys
import threading
import time

THREADS = 8
WARM_UP = 40


def _rate(n, submit):
    begin = time.monotonic()
    submit(n)
    print(n / (time.monotonic() - begin))


def _single(n, submit_one):
    for _ in range(n):
        submit_one()


def _turns(ticks, begin, call, out):
    """A thread that is free takes the next tick, so a slow task holds up none."""
    while True:
        try:
            i, at = ticks.get_nowait()
        except queue.Empty:
            return
        time.sleep(max(0, begin + at - time.monotonic()))
        begun = time.monotonic_ns() // 1000
        call(begun if i >= 0 else 0)
        if i >= 0:
            out.append(time.monotonic_ns() // 1000 - begun)


def _latency(rate, seconds, call):
    ticks, out = queue.Queue(), []
    for i in range(-WARM_UP, rate * seconds):
        ticks.put((i, (i + WARM_UP) / rate))
    begin = time.monotonic() + 0.1
    threads = [threading.Thread(target=_turns, args=(ticks, begin, call, out))
               for _ in range(THREADS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print("\n".join(map(str, out)))


def main(submit_one, submit_many, call):
    """call(begun_us) submits `stamp` and waits for its result."""
    how, numbers = sys.argv[1], [int(a) for a in sys.argv[2:]]
    if how == "single":
        submit_one()
        _rate(numbers[0] - 1, lambda n: _single(n, submit_one))
    elif how == "bulk":
        _rate(numbers[0], submit_many)
    else:
        _latency(*numbers, call)
