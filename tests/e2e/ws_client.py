# SPDX-License-Identifier: MIT
"""A small WebSocket client: prints what flowrra-web sends, a message a line.

Usage: ws_client.py PORT [HEADER ...]; the exit status is 1, and the status line
printed, if there is no upgrade.
"""
import base64
import hashlib
import os
import socket
import struct
import sys

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def shake_hands(port, headers):
    s = socket.create_connection(("127.0.0.1", port))
    key = base64.b64encode(os.urandom(16)).decode()
    lines = ["GET /ws HTTP/1.1", "Host: 127.0.0.1:%d" % port,
             "Connection: Upgrade", "Upgrade: websocket",
             "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + key]
    s.sendall("\r\n".join(lines + headers + ["", ""]).encode())
    f = s.makefile("rb")
    status = f.readline().decode().strip()
    answer = {}
    for line in iter(f.readline, b"\r\n"):
        name, value = line.decode().split(":", 1)
        answer[name.lower()] = value.strip()
    if " 101 " not in status + " ":
        print(status)
        sys.exit(1)
    digest = hashlib.sha1((key + GUID).encode()).digest()
    assert answer["sec-websocket-accept"] == base64.b64encode(digest).decode()
    return s, f


def message(f):
    """A frame's opcode and its bytes; those of a server are whole, unmasked."""
    first, second = f.read(2)
    assert first & 0x80 and not second & 0x80
    n = second
    if n == 126:
        n, = struct.unpack(">H", f.read(2))
    elif n == 127:
        n, = struct.unpack(">Q", f.read(8))
    return first & 0x0f, f.read(n)


def main():
    s, f = shake_hands(int(sys.argv[1]), sys.argv[2:])
    # As the package's own page does: it is answered, and shows that all is set up.
    s.sendall(b"\x81\x84" + bytes(4) + b"ping")
    while True:
        opcode, text = message(f)
        if opcode == 8:
            return
        if opcode == 1:
            print(text.decode(), flush=True)


main()
