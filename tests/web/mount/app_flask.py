# SPDX-License-Identifier: MIT
"""Flask with the dashboard inside; the login is a header, for the test."""
import os
import sys

from flask import Flask
from flowrra_wsgi import FlowrraWeb
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import run_simple

app = Flask(__name__)
app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {
    "/flowrra": FlowrraWeb(user=lambda environ: environ.get("HTTP_X_LOGIN"),
                           socket=os.environ["SOCKET"])})
run_simple("127.0.0.1", int(sys.argv[1]), app, threaded=True)
