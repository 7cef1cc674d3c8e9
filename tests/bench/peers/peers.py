# SPDX-License-Identifier: MIT
"""The peers: what they need, how they are started, each at its best."""
import dataclasses
import os
import pathlib
import shutil
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path("build/peers").resolve()
PYTHON = "/usr/bin/python3"  # for which Debian's packages are made


@dataclasses.dataclass
class Peer:
    name: str
    worker: list  # the program that runs tasks
    processes: int  # how many of it
    settings: str
    tasks: int  # submitted in bulk and drained
    produce: list = None  # PROGRAM single N | bulk N | latency RATE SECONDS
    single: int = 5000  # submitted one at a time
    server: str = "redis"
    results: bool = True  # whether there are any to wait for
    npm: tuple = ()  # it, and what it wants beside it
    sources: tuple = ()  # programs in C
    flags: tuple = ()

    def directory(self):
        return HERE / self.name

    def environment(self):
        paths = f"{HERE / 'common'}:{self.directory()}"
        return {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1",
                "NODE_PATH": str(BUILD / "node_modules")}

    def version(self):
        if self.npm:
            command = ["node", "-p", f"require('{self.npm[0]}/package.json').version"]
        else:
            command = ["dpkg-query", "-W", "-f", "${Version}", PACKAGES[self.name]]
        return subprocess.run(command, env=os.environ | self.environment(),
                              text=True, capture_output=True,
                              check=True).stdout.strip()

    def install(self):
        """Installs what is missing; raises what is in the way."""
        if not (self.npm and shutil.which("npm")):
            _run([".ci/deps", self.name])
        BUILD.mkdir(parents=True, exist_ok=True)
        absent = [n for n in self.npm if not (BUILD / "node_modules" / n).exists()]
        if absent:
            _run(["npm", "install", "--no-audit", "--no-fund", "--prefix",
                  str(BUILD), *absent])
        for source in self.sources:
            _run(["cc", "-O2", "-pthread", "-o", str(BUILD / f"{self.name}-{source}"),
                  str(self.directory() / f"{source}.c"), *self.flags])


def _run(command):
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        lines = done.stdout.strip().splitlines() or ["no reason given"]
        raise RuntimeError(f"{' '.join(command)}: {lines[-1]}")


PACKAGES = {"celery": "python3-celery", "rq": "python3-rq",
            "sidekiq": "ruby-sidekiq", "gearman": "gearman-job-server",
            "beanstalkd": "beanstalkd"}

PEERS = [
    Peer("celery", processes=1, tasks=5000, single=2000,
         worker=[PYTHON, "-m", "celery", "-A", "tasks", "worker", "-c", "2",
                 "-l", "error", "--without-gossip", "--without-mingle",
                 "--without-heartbeat"],
         produce=[PYTHON, str(HERE / "celery/produce.py")],
         settings="prefork, 2 processes, prefetch 100, no gossip, mingle, heartbeat"),
    Peer("rq", processes=2, tasks=2000, single=1000,
         worker=[PYTHON, "-m", "rq.cli", "worker", "-q", "--worker-class",
                 "rq.worker.SimpleWorker", "--url", "unix://{socket}"],
         produce=[PYTHON, str(HERE / "rq/produce.py")],
         settings="2 processes, SimpleWorker (no fork a job)"),
    Peer("sidekiq", processes=2, tasks=30000,
         worker=["sidekiq", "-r", str(HERE / "sidekiq/tasks.rb"), "-c", "10"],
         produce=["ruby", str(HERE / "sidekiq/produce.rb")], results=False,
         settings="2 processes x 10 threads"),
    Peer("bullmq", processes=2, tasks=20000, npm=("bullmq", "ioredis"),
         worker=["node", str(HERE / "bullmq/worker.js")],
         produce=["node", str(HERE / "bullmq/produce.js")],
         settings="2 processes x 100"),
    Peer("bee-queue", processes=2, tasks=50000, npm=("bee-queue",),
         worker=["node", str(HERE / "bee-queue/worker.js")],
         produce=["node", str(HERE / "bee-queue/produce.js")],
         settings="2 processes x 100, storeJobs off"),
    Peer("gearman", processes=2, tasks=50000, server="gearmand",
         sources=("worker", "produce"), flags=("-lgearman",),
         worker=[str(BUILD / "gearman-worker")],
         produce=[str(BUILD / "gearman-produce")],
         settings="2 processes, libgearman; its server keeps all in memory"),
    Peer("beanstalkd", processes=2, tasks=50000, server="beanstalkd",
         sources=("worker", "produce"), results=False,
         worker=[str(BUILD / "beanstalkd-worker")],
         produce=[str(BUILD / "beanstalkd-produce")],
         settings="2 processes, in C; its server keeps all in memory"),
]
