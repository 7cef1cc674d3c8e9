# SPDX-License-Identifier: MIT
"""The peers' servers, each a fresh one in a directory of its own."""
import os
import socket
import subprocess
import time


def _free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _command(kind, path, port):
    return {
        "redis": [os.environ.get("REDIS_SERVER") or "redis-server", "--port", "0", "--unixsocket", path,
                  "--save", "", "--appendonly", "no"],
        "gearmand": ["gearmand", "--listen", "127.0.0.1", "--port", str(port),
                     "--log-file", "stderr"],
        "beanstalkd": ["beanstalkd", "-l", f"unix:{path}"],
    }[kind]


class Server:
    def __init__(self, kind, directory, log):
        self.path, self.port = f"{directory}/socket", _free_port()
        self.tcp = kind == "gearmand"
        self.process = subprocess.Popen(
            _command(kind, self.path, self.port), cwd=directory,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait()

    def _wait(self):
        where = ("127.0.0.1", self.port) if self.tcp else self.path
        family = socket.AF_INET if self.tcp else socket.AF_UNIX
        for _ in range(500):
            with socket.socket(family) as s:
                if s.connect_ex(where) == 0:
                    return
            time.sleep(0.01)
        raise RuntimeError(f"{self.process.args[0]} does not come up")

    def environment(self):
        return {"BENCH_SOCKET": self.path, "BENCH_PORT": str(self.port)}

    def stop(self):
        self.process.kill()
        self.process.wait()
