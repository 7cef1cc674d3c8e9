# SPDX-License-Identifier: MIT
"""Processes, what they use, and what their handlers noted."""
import os
import pathlib
import signal
import struct
import subprocess
import time

STALL_S = 30
MIB = 1024  # of the KiB that /proc counts in


def descendants(pids):
    """These processes and all below them."""
    children = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found = list(pids)
    for pid in found:
        found.extend(children.get(pid, []))
    return found


def cpu_s(pids):
    ticks = 0
    for pid in descendants(pids):
        try:
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        ticks += sum(int(f) for f in stat.rsplit(")", 1)[1].split()[11:13])
    return ticks / os.sysconf("SC_CLK_TCK")


def pss_mib(pids):
    kib = 0
    for pid in descendants(pids):
        try:
            rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        kib += sum(int(line.split()[1]) for line in rollup.splitlines()
                   if line.startswith("Pss:"))
    return kib / MIB


class Processes:
    """Started together, stopped together."""

    def __init__(self, command, n, environment, log):
        self.all = [subprocess.Popen(command, env=os.environ | environment,
                                     cwd=environment["BENCH_DIR"],
                                     stdin=subprocess.DEVNULL, stdout=log,
                                     stderr=log)
                    for _ in range(n)]
        self.pids = [p.pid for p in self.all]

    def check(self):
        for p in self.all:
            if p.poll() is not None:
                raise RuntimeError(f"{p.args[0]} has ended")

    def stop(self):
        mine = descendants(self.pids)
        for p in self.all:
            if p.poll() is None:
                p.terminate()
        for p in self.all:
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        for pid in set(mine) - set(self.pids):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


class Ledger:
    """What the handlers of one phase note; see common/ledger.py."""

    def __init__(self, parent, phase):
        self.dir = pathlib.Path(parent) / phase
        self.dir.mkdir()

    def _pages(self):
        pages = [f.read_bytes() for f in self.dir.glob("count.*")]
        return [struct.unpack("qqq", p) for p in pages if len(p) == 24]

    def count(self):
        return sum(p[0] for p in self._pages())

    def wait(self, n, processes):
        """Until n tasks were run."""
        last, moved = -1, time.monotonic()
        while (now := self.count()) < n:
            if now != last:
                last, moved = now, time.monotonic()
            processes.check()
            if time.monotonic() - moved > STALL_S:
                raise RuntimeError(f"only {now} of {n} tasks ran")
            time.sleep(0.005)

    def span_s(self):
        """From the start of the first handler to that of the last."""
        pages = [p for p in self._pages() if p[0] > 0]
        return (max(p[2] for p in pages) - min(p[1] for p in pages)) / 1e9

    def starts_us(self):
        return [int(line) for f in self.dir.glob("starts.*")
                for line in f.read_text().split()]


def percentile(values, percent):
    values = sorted(values)
    return values[(len(values) - 1) * percent // 100]
