# SPDX-License-Identifier: MIT
"""A foreign producer: does with Redis what the Python package flowrra 0.1.8
does to submit a task, to wait for it, and to read its result.

usage: foreign.py SOCKET NAME ARGS_JSON [KEY=JSON of the task]...
Prints the record's status, the types of its times, and its result.
"""
import json
import sys
import uuid
from datetime import datetime

import redis

socket, name, args = sys.argv[1:4]
server = redis.Redis(unix_socket_path=socket, decode_responses=True)
task = {
    "id": str(uuid.uuid4()), "name": name, "args": json.loads(args),
    "kwargs": {}, "max_retries": 3, "retry_delay": 1.0, "current_retry": 0,
    "priority": 0, "cpu_bound": False,
}
for setting in sys.argv[4:]:
    key, value = setting.split("=", 1)
    task[key] = json.loads(value)
key = f"flowrra:task:{task['id']}"

listener = server.pubsub(ignore_subscribe_messages=True)
listener.subscribe(f"flowrra:complete:{task['id']}")
# The confirmation of the subscription.
listener.get_message(timeout=10)

submitted = datetime.utcnow().isoformat()
server.set(key, json.dumps({
    "task_id": task["id"], "status": "pending", "task_name": name,
    "result": None, "error": None,
    "submitted_at": submitted, "started_at": None,
    "finished_at": None, "retries": 0, "args": task["args"],
    "kwargs": task["kwargs"],
}))
server.lpush("flowrra:queue:io", json.dumps(task))

message = listener.get_message(timeout=30)
assert message is not None, "no message on the channel"
assert message["data"] == "done", message
record = json.loads(server.get(key))
for field in ("submitted_at", "started_at", "finished_at"):
    time = datetime.fromisoformat(record[field])
    assert time.utcoffset().total_seconds() == 0, record[field]
# The task does not carry it; the pending record did.
assert record["submitted_at"][:26] == submitted[:26], (record, submitted)
assert record["task_id"] == task["id"], record
assert record["task_name"] == name, record
assert record["args"] == task["args"], record
assert record["kwargs"] == task["kwargs"], record
assert server.ttl(key) > 0, server.ttl(key)
print(record["status"], record["retries"],
      json.dumps(record["result"] if record["error"] is None
                 else record["error"]))
