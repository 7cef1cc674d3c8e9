# SPDX-License-Identifier: MIT
"""Waits as the Python package flowrra 0.1.8 does: it reads the record, and only
then subscribes to the task's channel.

usage: foreign_wait.py SOCKET COUNT
Submits COUNT tasks one after the other, waits for each, and prints of how many
ends it has not heard within 5 s.
"""
import json
import sys
import uuid

import redis

socket, count = sys.argv[1], int(sys.argv[2])
server = redis.Redis(unix_socket_path=socket, decode_responses=True)
unheard = 0
for number in range(count):
    id = str(uuid.uuid4())
    key = f"flowrra:task:{id}"
    server.lpush("flowrra:queue:io", json.dumps({
        "id": id, "name": "add", "args": [number, 1], "kwargs": {},
        "max_retries": 3, "retry_delay": 1.0, "current_retry": 0,
        "priority": 0, "cpu_bound": False,
    }))
    record = json.loads(server.get(key) or "{}")
    if record.get("status") == "success":
        continue
    # Every tenth is late for sure: the task has ended by then.
    while number % 10 == 0 and "success" not in (server.get(key) or ""):
        pass
    listener = server.pubsub(ignore_subscribe_messages=True)
    listener.subscribe(f"flowrra:complete:{id}")
    message, left = None, 50
    while message is None and left > 0:
        message = listener.get_message(timeout=0.1)
        left -= 1
    unheard += message is None
    listener.close()
print(unheard)
