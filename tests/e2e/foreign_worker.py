# SPDX-License-Identifier: MIT
"""A foreign worker: does with Redis what a worker of the Python package flowrra
0.1.8 does with one task.

usage: foreign_worker.py SOCKET LATE_S
Takes a task, says LATE_S seconds later that it runs, waits for something in the
list "go", and says that it succeeded.
"""
import json
import sys
import time
from datetime import datetime

import redis

server = redis.Redis(unix_socket_path=sys.argv[1], decode_responses=True)
task = json.loads(server.brpop("flowrra:queue:io")[1])
server.lpush("popped", task["id"])
time.sleep(float(sys.argv[2]))
key = f"flowrra:task:{task['id']}"
record = {
    "task_id": task["id"], "status": "running", "task_name": task["name"],
    "result": None, "error": None, "submitted_at": None,
    "started_at": datetime.utcnow().isoformat(), "finished_at": None,
    "retries": 0, "args": task["args"], "kwargs": task["kwargs"],
}
server.set(key, json.dumps(record))
server.blpop("go", timeout=30)
record.update(status="success", result=3,
              finished_at=datetime.utcnow().isoformat())
server.set(key, json.dumps(record), ex=1000)
server.publish(f"flowrra:complete:{task['id']}", "done")
