"""OpenAI's vector stores, with their files and batches of files. Files are ready at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ssejet.testing._endpoints.files import FILE
from ssejet.testing._endpoints.objects import (
    Create,
    Delete,
    Kind,
    List,
    ObjectEndpoint,
    Retrieve,
    Update,
    not_found,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ssejet.testing._endpoints.base import Asked

__all__ = ["ENDPOINTS", "VECTOR_STORE", "VECTOR_STORE_FILE", "with_vector_stores"]

_NO_FILES = {"cancelled": 0, "completed": 0, "failed": 0, "in_progress": 0, "total": 0}

VECTOR_STORE = Kind(
    "vector_store",
    store="vector_stores",
    id_prefix="vs_",
    noun="vector store",
    defaults={
        "name": "",
        "description": None,
        "status": "completed",
        "usage_bytes": 0,
        "file_counts": _NO_FILES,
        "metadata": {},
        "last_active_at": None,
        "expires_after": None,
        "expires_at": None,
    },
)
VECTOR_STORE_FILE = Kind(
    "vector_store.file",
    store="vector_stores.files",
    id_prefix="file-",
    parents=[VECTOR_STORE],
    defaults={
        "status": "completed",
        "usage_bytes": 0,
        "last_error": None,
        "attributes": {},
        "chunking_strategy": {
            "type": "static",
            "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400},
        },
    },
)
BATCH = Kind(
    "vector_store.files_batch",
    store="vector_stores.file_batches",
    id_prefix="vsfb_",
    noun="batch",
    parents=[VECTOR_STORE],
    defaults={"status": "completed", "file_counts": _NO_FILES},
)


class CreateVectorStore(Create):
    """Makes a vector store with the files that the request names."""

    def act(self, given: dict[str, Any] | None, asked: Asked) -> Any:
        """Keep the vector store and its files."""
        return _create(given or {}, asked)


class AddFile(Create):
    """Adds a file to a vector store. The new object has the file's id."""

    def act(self, given: dict[str, Any] | None, asked: Asked) -> Any:
        """Keep the vector store's file."""
        store = VECTOR_STORE.require(asked)
        return _add_files(store, [asked.body.get("file_id", "")], asked, given or {})[0]


class RetrieveFileContent(ObjectEndpoint):
    """The text of a vector store's file."""

    method = "GET"

    def act(self, given: dict[str, Any] | None, asked: Asked) -> Any:
        """A page with the text as its only part."""
        file = self.kind.require(asked)
        content = asked.store.files.content.get(file["id"]) or b""
        data = [{"type": "text", "text": content.decode(errors="replace")}]
        page = {"object": "vector_store.file_content.page", "data": data, "has_more": False}
        return page | {"next_page": None} | (given or {})


class CreateBatch(Create):
    """Adds several files to a vector store."""

    def act(self, given: dict[str, Any] | None, asked: Asked) -> Any:
        """Keep the batch and the vector store's files."""
        store = VECTOR_STORE.require(asked)
        listed = asked.body.get("files") or [{"file_id": each} for each in asked.body.get("file_ids", [])]
        ids = [each["file_id"] for each in listed]
        _add_files(store, ids, asked, {})
        counts = _NO_FILES | {"completed": len(ids), "total": len(ids)}
        batch = self.kind.keep(self.kind.make({"file_counts": counts} | (given or {}), asked), asked)
        for id in ids:
            asked.store.vector_stores.file_batches.add_related_file(batch["id"], id)
        return batch


class CancelBatch(ObjectEndpoint):
    """Cancels a batch."""

    def act(self, given: dict[str, Any] | None, asked: Asked) -> Any:
        """Keep the cancelled batch."""
        self.kind.check(given or {})
        return self.kind.keep(self.kind.require(asked) | {"status": "cancelled"} | (given or {}), asked)


class ListBatchFiles(List):
    """Lists the files of a batch."""

    def _among(self, asked: Asked) -> list[str]:
        """The ids of the batch's files."""
        batch = BATCH.require(asked)
        return asked.store.vector_stores.file_batches.get_related_files(batch["id"])


def with_vector_stores(tool_resources: Any, asked: Asked) -> Any:
    """The tool resources of an assistant or a thread, after the vector stores in them were made."""
    search = dict((tool_resources or {}).get("file_search") or {})
    if "vector_stores" not in search:
        return tool_resources
    made = [_create({}, replace(asked, body=body)) for body in search.pop("vector_stores")]
    search["vector_store_ids"] = [*search.get("vector_store_ids", []), *(store["id"] for store in made)]
    return tool_resources | {"file_search": search}


def _create(given: dict[str, Any], asked: Asked) -> dict[str, Any]:
    store = VECTOR_STORE.make(VECTOR_STORE.known(asked.body) | given, asked)
    _add_files(store, asked.body.get("file_ids", []), asked, {})
    return VECTOR_STORE.keep(store | given, asked)


def _add_files(
    store: dict[str, Any], ids: Iterable[str], asked: Asked, given: dict[str, Any]
) -> list[dict[str, Any]]:
    """Keep files of a vector store, and count them."""
    uploads = [(id, FILE.store(asked).fields(id)) for id in ids]
    made = []
    for id, upload in uploads:
        if upload is None:
            raise not_found("file", id)
        begun = {"id": id, "vector_store_id": store["id"], "usage_bytes": upload["bytes"]}
        known = VECTOR_STORE_FILE.known(asked.body) if "file_id" in asked.body else {}
        fields = {name: value for name, value in known.items() if name in ("attributes", "chunking_strategy")}
        made.append(VECTOR_STORE_FILE.keep(VECTOR_STORE_FILE.make(begun | fields | given, asked), asked))
    counts = store["file_counts"]
    done = {name: counts[name] + len(made) for name in ("completed", "total")}
    store["file_counts"] = counts | done
    store["usage_bytes"] += sum(file["usage_bytes"] for file in made)
    VECTOR_STORE.keep(store, asked)
    return made


ENDPOINTS = (
    CreateVectorStore("vector_stores.create", "/vector_stores", VECTOR_STORE),
    List("vector_stores.list", "/vector_stores", VECTOR_STORE),
    Retrieve("vector_stores.retrieve", "/vector_stores/{vector_store_id}", VECTOR_STORE),
    Update("vector_stores.update", "/vector_stores/{vector_store_id}", VECTOR_STORE),
    Delete("vector_stores.delete", "/vector_stores/{vector_store_id}", VECTOR_STORE),
    AddFile("vector_stores.files.create", "/vector_stores/{vector_store_id}/files", VECTOR_STORE_FILE),
    List(
        "vector_stores.files.list",
        "/vector_stores/{vector_store_id}/files",
        VECTOR_STORE_FILE,
        filters={"filter": "status"},
    ),
    Retrieve(
        "vector_stores.files.retrieve", "/vector_stores/{vector_store_id}/files/{file_id}", VECTOR_STORE_FILE
    ),
    Update(
        "vector_stores.files.update", "/vector_stores/{vector_store_id}/files/{file_id}", VECTOR_STORE_FILE
    ),
    Delete(
        "vector_stores.files.delete", "/vector_stores/{vector_store_id}/files/{file_id}", VECTOR_STORE_FILE
    ),
    RetrieveFileContent(
        "vector_stores.files.content",
        "/vector_stores/{vector_store_id}/files/{file_id}/content",
        VECTOR_STORE_FILE,
    ),
    CreateBatch("vector_stores.file_batches.create", "/vector_stores/{vector_store_id}/file_batches", BATCH),
    Retrieve(
        "vector_stores.file_batches.retrieve",
        "/vector_stores/{vector_store_id}/file_batches/{batch_id}",
        BATCH,
    ),
    CancelBatch(
        "vector_stores.file_batches.cancel",
        "/vector_stores/{vector_store_id}/file_batches/{batch_id}/cancel",
        BATCH,
    ),
    ListBatchFiles(
        "vector_stores.file_batches.list_files",
        "/vector_stores/{vector_store_id}/file_batches/{batch_id}/files",
        VECTOR_STORE_FILE,
        filters={"filter": "status"},
    ),
)
