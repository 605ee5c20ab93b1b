"""OpenAI's list of models."""

from __future__ import annotations

from ssejet.testing._endpoints.objects import Delete, Kind, List, Retrieve

__all__ = ["ENDPOINTS"]

MODEL = Kind(
    "model",
    store="models",
    id_prefix="ft:mock::",
    created="created",
    deleted="model",
    defaults={"owned_by": "system", "shutdown_date": None},
)

ENDPOINTS = (
    List("models.list", "/models", MODEL, limit=1_000),
    Retrieve("models.retrieve", "/models/{model_id:path}", MODEL),
    Delete("models.delete", "/models/{model_id:path}", MODEL),
)
