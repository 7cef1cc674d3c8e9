# SPDX-License-Identifier: MIT
"""Waits as the Python package flowrra 0.1.8 does: it reads the record, and only
then subscribes to the task's channel.

usage: foreign_wait.py SOCKET COUNT
Submits COUNT tasks one after the other, waits for each, and prints of how many
ends it has not heard within 5 s. Those to which it subscribed later than a worker
says the second word (lib/store/redis/echo.c) were promised to nobody: on a busy
machine this process may stand still in between. A tenth must be left.
"""
import json
import sys
import time
import uuid

import redis

socket, count = sys.argv[1], int(sys.argv[2])
server = redis.Redis(unix_socket_path=socket, decode_responses=True)
PROMISED_S = 0.03
unheard = promised = 0
for number in range(count):
    id = str(uuid.uuid4())
    key = f"flowrra:task:{id}"
    server.lpush("flowrra:queue:io", json.dumps({
        "id": id, "name": "add", "args": [number, 1], "kwargs": {},
        "max_retries": 3, "retry_delay": 1.0, "current_retry": 0,
        "priority": 0, "cpu_bound": False,
    }))
    pending_s = time.monotonic()
    record = json.loads(server.get(key) or "{}")
    if record.get("status") == "success":
        promised += 1
        continue
    # Every tenth is late for sure: the task has ended by then.
    while number % 10 == 0:
        asked_s = time.monotonic()
        if "success" in (server.get(key) or ""):
            break
        pending_s = asked_s
    listener = server.pubsub()
    listener.subscribe(f"flowrra:complete:{id}")
    # The first message confirms it.
    listener.get_message(timeout=5)
    in_time = time.monotonic() - pending_s < PROMISED_S
    promised += in_time
    message, left = None, 50
    while message is None and left > 0 and (in_time or left == 50):
        message = listener.get_message(timeout=0.1)
        left -= 1
    unheard += in_time and message is None
    listener.close()
print(unheard if promised >= count / 10 else f"{promised} were in time")
