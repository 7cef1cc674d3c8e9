# SPDX-License-Identifier: MIT
"""Flowrra's dashboard inside a WSGI application (Flask, Django). The
application's own login stays the gate:

    app.wsgi_app = DispatcherMiddleware(
        app.wsgi_app, {"/flowrra": FlowrraWeb(user=lambda environ: ...)})

Needs the standard library alone. `user` returns the name of who is logged in,
or None: then the answer is 403. flowrra.conf says what flowrra_asgi.py shows.
The pages poll here, since an event stream would hold a worker of the
application for as long as somebody looks.
"""
import http.client
import socket
from urllib.parse import quote

# Of one connection only (RFC 9110, section 7.6.1; PEP 3333).
HOP = {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization",
       "te", "trailer", "trailers", "transfer-encoding", "upgrade"}

# What the application has looked at, and what a client could make up.
OWN = {"authorization", "cookie", "forwarded", "x-forwarded-for"}


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.unix_path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_path)


class FlowrraWeb:
    def __init__(self, user, socket="/run/flowrra/web.sock",
                 header="X-Remote-User", timeout=60):
        self.user, self.header = user, header
        self.socket, self.timeout = socket, timeout

    def __call__(self, environ, start_response):
        def plain(status, text):
            start_response(status, [("Content-Type", "text/plain")])
            return [text]

        name = self.user(environ)
        if not name:
            return plain("403 Forbidden", b"log in first\n")
        path = (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", ""))
        if path.rstrip("/").endswith("/api/v1/events"):
            return plain("501 Not Implemented", b"poll instead\n")
        # A WSGI server has decoded the path to Latin-1 (PEP 3333).
        path = quote(path.encode("latin-1"), safe="/:@!$&'()*+,;=~")
        if environ.get("QUERY_STRING"):
            path += "?" + environ["QUERY_STRING"]
        # What a browser claims to be counts for nothing.
        drop = HOP | OWN | {self.header.lower()}
        headers = {k[5:].replace("_", "-"): v for k, v in environ.items()
                   if k.startswith("HTTP_")
                   and k[5:].replace("_", "-").lower() not in drop}
        headers[self.header] = str(name)
        if environ.get("REMOTE_ADDR"):
            headers["X-Forwarded-For"] = environ["REMOTE_ADDR"]
        body = None
        if environ.get("CONTENT_LENGTH"):
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
            headers["Content-Type"] = environ.get("CONTENT_TYPE", "")
        connection = UnixConnection(self.socket, self.timeout)
        try:
            connection.request(environ["REQUEST_METHOD"], path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except OSError:
            return plain("502 Bad Gateway", b"flowrra-web does not answer\n")
        finally:
            connection.close()
        start_response("%d %s" % (answer.status, answer.reason),
                       [(k, v) for k, v in answer.getheaders()
                        if k.lower() not in HOP])
        return [content]
