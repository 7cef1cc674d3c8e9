# SPDX-License-Identifier: MIT
"""What handlers tell the benchmark, in a file of each process: how many they
ran, when the first and the last began (CLOCK_MONOTONIC, ns), and how long
after its submission each `stamp` began (µs, a line each)."""
import mmap
import os
import struct
import time

_pid = None
_page = _starts = None
_first = _count = 0


def _open():
    """Opened by the process that runs the tasks, which may be a fork."""
    global _pid, _page, _starts, _first, _count
    _pid = os.getpid()
    _first = _count = 0
    base = os.environ["BENCH_DIR"] + "/%s." + str(_pid)
    with open(base % "count", "w+b") as file:
        file.truncate(24)
        _page = mmap.mmap(file.fileno(), 24)
    _starts = open(base % "starts", "w", buffering=1)


def note():
    global _first, _count
    now = time.monotonic_ns()
    if _pid != os.getpid():
        _open()
    _first = _first or now
    _count += 1
    struct.pack_into("qqq", _page, 0, _count, _first, now)


def stamp(begun_us):
    now = time.monotonic_ns() // 1000
    note()
    if begun_us:
        _starts.write("%d\n" % (now - begun_us))
