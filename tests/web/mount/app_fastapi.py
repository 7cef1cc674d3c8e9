# SPDX-License-Identifier: MIT
"""FastAPI with the dashboard inside; the login is a header, for the test."""
import os

from fastapi import FastAPI
from flowrra_asgi import FlowrraWeb


def user(scope):
    return dict(scope["headers"]).get(b"x-login", b"").decode() or None


app = FastAPI()
app.mount("/flowrra", FlowrraWeb(user=user, socket=os.environ["SOCKET"]))
