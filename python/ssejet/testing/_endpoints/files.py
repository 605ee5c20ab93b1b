"""OpenAI's files: uploads, lists, and the files' contents."""

from __future__ import annotations

from typing import Any

from ssejet.testing._answers import MockError
from ssejet.testing._endpoints.base import Asked, RefusedError
from ssejet.testing._endpoints.objects import Create, Delete, Kind, List, ObjectEndpoint, Retrieve

__all__ = ["ENDPOINTS", "FILE"]

FILE = Kind(
    "file",
    store="files",
    id_prefix="file-",
    deleted="file",
    defaults={
        "bytes": 0,
        "filename": "mock",
        "purpose": "user_data",
        "status": "processed",
        "expires_at": None,
        "status_details": None,
    },
)


class Upload(Create):
    """Keeps a file and its bytes."""

    def act(self, given: dict[str, Any] | None, asked: Asked) -> Any:
        """The file that the form has."""
        uploaded = next((each for each in asked.files if each[0] == "file"), None)
        if uploaded is None:
            raise RefusedError(MockError("'file' is a required property", status=400, param="file"))
        if "purpose" not in asked.body:
            raise RefusedError(MockError("'purpose' is a required property", status=400, param="purpose"))
        _, filename, content = uploaded
        fields = {"filename": filename, "bytes": len(content), "purpose": asked.body["purpose"]}
        file = self.kind.keep(self.kind.make(fields | (given or {}), asked), asked)
        asked.store.files.content.put(file["id"], content)
        return file


class Content(ObjectEndpoint):
    """The bytes of a file."""

    method = "GET"
    takes_bytes = True

    def answer(self, given: str | bytes | dict[str, Any] | None, asked: Asked) -> Any:
        """The bytes that the test gives, else those of the upload."""
        if isinstance(given, dict):
            raise TypeError(f"mock.{self.name} answers with bytes or a text, not with fields")
        if given is not None:
            return given.encode() if isinstance(given, str) else given
        file = self.kind.require(asked)
        content = asked.store.files.content.get(file["id"])
        return b"" if content is None else content


ENDPOINTS = (
    Upload("files.create", "/files", FILE),
    List("files.list", "/files", FILE, filters={"purpose": "purpose"}, limit=10_000),
    Retrieve("files.retrieve", "/files/{file_id}", FILE),
    Delete("files.delete", "/files/{file_id}", FILE),
    Content("files.content", "/files/{file_id}/content", FILE),
)
