"""Relay chat completions to browsers without showing them the key.

pip install flask ssejet
OPENAI_API_KEY=… flask --app flask_relay run
"""

from __future__ import annotations

import os

import httpx
from flask import Flask, Response, request

from ssejet.emit import relay, resume_headers
from ssejet.emit.flask import event_stream_response

app = Flask(__name__)
client = httpx.Client(
    base_url=os.environ.get("OPENAI_BASE_URL", "https://api.openai.com/v1"),
    headers={"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"},
    # A model can think for minutes before its first word.
    timeout=httpx.Timeout(10, read=600),
    limits=httpx.Limits(max_connections=None),
)


@app.post("/chat")
def chat() -> Response:
    """Relay the model's stream, byte for byte."""
    question = client.build_request(
        "POST",
        "/chat/completions",
        json={**request.get_json(), "stream": True},
        headers=resume_headers(request.headers),
    )
    upstream = client.send(question, stream=True)
    if upstream.is_success:
        return event_stream_response(relay(upstream))
    # An error of the server keeps its status.
    upstream.read()
    return Response(upstream.content, upstream.status_code, mimetype=upstream.headers.get("content-type"))
