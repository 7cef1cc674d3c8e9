# SPDX-License-Identifier: MIT
"""Django, under WSGI and under ASGI, with the dashboard inside; the login is a
header, for the test."""
import os
import sys

import django
from django.conf import settings

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"],
                   SECRET_KEY="of a test", DEBUG=False)
django.setup()
urlpatterns = []


def in_asgi():
    from django.core.asgi import get_asgi_application
    from flowrra_asgi import FlowrraWeb
    site = get_asgi_application()
    web = FlowrraWeb(
        user=lambda scope: dict(scope["headers"]).get(b"x-login", b"").decode()
        or None, socket=os.environ["SOCKET"])

    async def app(scope, receive, send):
        inside = scope["type"] in ("http", "websocket") and \
            (scope["path"] + "/").startswith("/flowrra/")
        await (web if inside else site)(scope, receive, send)
    return app


def in_wsgi():
    from django.core.wsgi import get_wsgi_application
    from flowrra_wsgi import FlowrraWeb
    site = get_wsgi_application()
    web = FlowrraWeb(user=lambda environ: environ.get("HTTP_X_LOGIN"),
                     socket=os.environ["SOCKET"])

    def app(environ, start_response):
        inside = (environ["PATH_INFO"] + "/").startswith("/flowrra/")
        return (web if inside else site)(environ, start_response)
    return app


if __name__ == "__main__":
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIServer, make_server

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True
    make_server("127.0.0.1", int(sys.argv[1]), in_wsgi(),
                server_class=Server).serve_forever()
else:
    app = in_asgi()
