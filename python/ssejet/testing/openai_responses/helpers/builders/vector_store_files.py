"""Files of vector stores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ssejet.testing._endpoints.vector_stores import VECTOR_STORE_FILE
from ssejet.testing.openai_responses.helpers._building import ask, make

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai.types.vector_stores import VectorStoreFile

__all__ = ["vector_store_file_from_create_request"]


def vector_store_file_from_create_request(
    request: Any, *, extra: Mapping[str, Any] | None = None
) -> VectorStoreFile:
    """The object that a request creates, with these fields. No mock keeps it."""
    asked = ask(request)
    fields = {"id": asked.body["file_id"], "vector_store_id": "", **(extra or {})}
    made = make(VECTOR_STORE_FILE, "openai.types.vector_stores:VectorStoreFile", asked, fields)
    return cast("VectorStoreFile", made)
