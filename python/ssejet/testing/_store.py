"""The objects that a mock of OpenAI's API keeps, such as files, threads and runs."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from ssejet._json import dumps, loads

if TYPE_CHECKING:
    import builtins
    from collections.abc import Container, Iterable

    # Some of these are only in quotes, in the bases of classes.
    from openai.types import FileObject, Model, VectorStore  # noqa: F401
    from openai.types.beta import Assistant, Thread  # noqa: F401
    from openai.types.beta.threads import Message, Run  # noqa: F401
    from openai.types.beta.threads.runs import RunStep
    from openai.types.responses import Response
    from openai.types.vector_stores import VectorStoreFile, VectorStoreFileBatch  # noqa: F401

__all__ = [
    "ContentStore",
    "Page",
    "StateStore",
    "Store",
    "construct",
    "fields_of",
    "first_and_last",
    "model_of",
]

M = TypeVar("M")

# Where openai-python has the model of each object.
_MODELS = {
    "assistant": "openai.types.beta:Assistant",
    "file": "openai.types:FileObject",
    "model": "openai.types:Model",
    "response": "openai.types.responses:Response",
    "thread": "openai.types.beta:Thread",
    "thread.message": "openai.types.beta.threads:Message",
    "thread.run": "openai.types.beta.threads:Run",
    "thread.run.step": "openai.types.beta.threads.runs:RunStep",
    "vector_store": "openai.types:VectorStore",
    "vector_store.file": "openai.types.vector_stores:VectorStoreFile",
    "vector_store.files_batch": "openai.types.vector_stores:VectorStoreFileBatch",
}

_SYSTEM_MODELS = (
    "gpt-3.5-turbo", "gpt-3.5-turbo-instruct", "gpt-4", "gpt-4-turbo", "gpt-4o", "gpt-4o-mini", "gpt-4.1",
    "gpt-4.1-mini", "gpt-5", "gpt-5-mini", "o3", "o4-mini", "gpt-image-1", "dall-e-2", "dall-e-3", "tts-1",
    "whisper-1", "omni-moderation-latest", "text-moderation-latest", "text-embedding-3-large",
    "text-embedding-3-small", "text-embedding-ada-002",
)  # fmt: skip


class Page:
    """A part of a list.

    Attributes:
        rows: the objects, as dicts.
        has_more: whether more objects come after them.
    """

    def __init__(self, rows: list[dict[str, Any]], has_more: bool) -> None:
        self.rows = rows
        self.has_more = has_more


class Store(Generic[M]):
    """Objects of one kind, by their ids, in the order in which they were put.

    ``get`` and ``list`` return openai-python's models if openai-python is installed, else dicts. A change to
    an object that ``get`` returned changes the stored one.

    Args:
        kind: the field ``object`` of its objects; "" for any.
        newest_first: whether lists begin with the newest object if a request does not say so.
    """

    def __init__(self, kind: str = "", *, newest_first: bool = True) -> None:
        self._kind = kind
        self._newest_first = newest_first
        self._objects: dict[str, Any] = {}

    def __len__(self) -> int:
        return len(self._objects)

    def put(self, obj: M | Mapping[str, Any]) -> None:
        """Store an object, in place of one with the same id.

        Args:
            obj: a model of openai-python, or a dict.

        Raises:
            TypeError: it has no id, or is of another kind.
        """
        kept: Any = dict(obj) if isinstance(obj, Mapping) else obj
        read: Any = kept.get if isinstance(kept, dict) else lambda name: getattr(kept, name, None)
        id, kind = read("id"), read("object")
        if not isinstance(id, str):
            raise TypeError(f"the store of {self._kind!r} objects takes objects with an id, not {obj!r:.80}")
        if self._kind and kind not in (None, self._kind):
            raise TypeError(f"the store of {self._kind!r} objects takes no object {kind!r}")
        self._objects[self._new_key(id, kept)] = kept

    def get(self, id: str) -> M | None:
        """The object with an id; None if there is none."""
        return self._model(self._key(id, {}))

    def delete(self, id: str) -> bool:
        """Remove an object. Returns whether there was one."""
        return self.remove(id, {})

    def remove(self, id: str, scope: Mapping[str, Any]) -> bool:
        """Remove an object with these fields. Returns whether there was one."""
        return self._objects.pop(self._key(id, scope), None) is not None

    def list(
        self,
        limit: str | int | None = None,
        order: str | None = None,
        after: str | None = None,
        before: str | None = None,
    ) -> list[M]:
        """The objects of a page.

        Args:
            limit: how many at most; 20 by default.
            order: ``"asc"`` for the oldest first, or ``"desc"`` for the newest first.
            after: the id of the object before the page.
            before: the id of the object after the page. Without ``after``, the page ends right before it.
        """
        return self._listed({}, limit, order, after, before)

    def fields(self, id: str | None, scope: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """A copy of an object with these fields as a dict; None if there is none."""
        obj = self._objects.get(self._key(f"{id}", scope or {}))
        found = None if obj is None else fields_of(obj)
        return found if found is None or _has(found, scope or {}) else None

    def page(
        self,
        equal: Mapping[str, Any] | None = None,
        limit: str | int | None = None,
        order: str | None = None,
        after: str | None = None,
        before: str | None = None,
        among: Container[str] | None = None,
    ) -> Page:
        """The page of the objects whose fields equal the given ones, and whose ids are among these."""
        rows = [fields_of(obj) for obj in list(self._objects.values())]
        wanted = {name: value for name, value in (equal or {}).items() if value is not None}
        rows = [row for row in rows if _has(row, wanted) and (among is None or row["id"] in among)]
        if order == "desc" or (order is None and self._newest_first):
            rows.reverse()
        ids = [row["id"] for row in rows]
        start = ids.index(after) + 1 if after in ids else 0
        end = ids.index(before) if before in ids else len(rows)
        size = 20 if limit is None else int(limit)
        # The page before an object is the one that ends at it.
        first = max(start, end - size) if before in ids and after not in ids else start
        return Page(rows[first : min(first + size, end)], has_more=end - start > size)

    def _listed(self, equal: dict[str, Any], *page: Any) -> builtins.list[M]:
        rows = self.page(equal, *page).rows
        return [cast("M", self._model(self._key(row["id"], row))) for row in rows]

    def _model(self, key: str) -> M | None:
        """The object with a key, after a dict became a model."""
        obj = self._objects.get(key)
        if isinstance(obj, dict):
            obj = self._objects[key] = model_of(obj)
        return cast("M | None", obj)

    def _new_key(self, id: str, obj: Any) -> str:
        """The key of a new object."""
        return id

    def _key(self, id: str, scope: Mapping[str, Any]) -> str:
        """The key of an object with these fields."""
        return id


class FileStore(Store["FileObject"]):
    """The files. ``content`` has their bytes."""

    def __init__(self) -> None:
        super().__init__("file", newest_first=False)
        self.content: ContentStore = ContentStore()

    def list(self, purpose: str | None = None) -> list[FileObject]:  # type: ignore[override]
        """All files, or those with a purpose."""
        return self._listed({"purpose": purpose}, 10_000)

    def remove(self, id: str, scope: Mapping[str, Any]) -> bool:
        """Remove a file and its bytes. Returns whether there was one."""
        self.content.delete(id)
        return super().remove(id, scope)


class ContentStore:
    """The bytes of files, by the files' ids."""

    def __init__(self) -> None:
        self._contents: dict[str, bytes] = {}

    def put(self, id: str, content: bytes) -> None:
        """Store the bytes of a file."""
        self._contents[id] = content

    def get(self, id: str) -> bytes | None:
        """The bytes of a file; None if there are none."""
        return self._contents.get(id)

    def delete(self, id: str) -> None:
        """Remove the bytes of a file."""
        self._contents.pop(id, None)


class ModelStore(Store["Model"]):
    """The models. At first, it has some of OpenAI's."""

    def __init__(self) -> None:
        super().__init__("model", newest_first=False)
        for name in _SYSTEM_MODELS:
            self._objects[name] = {"id": name, "object": "model", "created": 0, "owned_by": "system"}

    def list(self) -> list[Model]:  # type: ignore[override]
        """All models."""
        return self._listed({}, len(self))


class _ThreadPartStore(Store[M]):
    def list(  # type: ignore[override]
        self,
        thread_id: str,
        limit: str | int | None = None,
        order: str | None = None,
        after: str | None = None,
        before: str | None = None,
    ) -> list[M]:
        """The objects of a thread; see ``Store.list``."""
        return self._listed({"thread_id": thread_id}, limit, order, after, before)


class MessageStore(_ThreadPartStore["Message"]):
    """The messages of all threads."""

    def list(  # type: ignore[override]
        self,
        thread_id: str,
        limit: str | int | None = None,
        order: str | None = None,
        after: str | None = None,
        before: str | None = None,
        run_id: str | None = None,
    ) -> list[Message]:
        """The messages of a thread, or of a run in it; see ``Store.list``."""
        return self._listed({"thread_id": thread_id, "run_id": run_id}, limit, order, after, before)


class RunStore(_ThreadPartStore["Run"]):
    """The runs of all threads. ``steps`` has their steps."""

    def __init__(self) -> None:
        super().__init__("thread.run")
        self.steps: RunStepStore = RunStepStore("thread.run.step")


class RunStepStore(Store["RunStep"]):
    """The steps of all runs."""

    def list(  # type: ignore[override]
        self,
        thread_id: str,
        run_id: str,
        limit: str | int | None = None,
        order: str | None = None,
        after: str | None = None,
        before: str | None = None,
    ) -> list[RunStep]:
        """The steps of a run; see ``Store.list``."""
        return self._listed({"thread_id": thread_id, "run_id": run_id}, limit, order, after, before)


class ThreadStore(Store["Thread"]):
    """The threads, with ``messages`` and ``runs``."""

    def __init__(self) -> None:
        super().__init__("thread")
        self.messages: MessageStore = MessageStore("thread.message")
        self.runs: RunStore = RunStore()


class VectorStoreFileStore(Store["VectorStoreFile"]):
    """The files of all vector stores. The same file may be in several."""

    def _new_key(self, id: str, obj: Any) -> str:
        return f"{fields_of(obj).get('vector_store_id')}/{id}"

    def _key(self, id: str, scope: Mapping[str, Any]) -> str:
        if "vector_store_id" in scope:
            return f"{scope['vector_store_id']}/{id}"
        return next((key for key in reversed(self._objects) if key.endswith(f"/{id}")), "")

    def list(  # type: ignore[override]
        self,
        vector_store_id: str,
        limit: str | int | None = None,
        order: str | None = None,
        after: str | None = None,
        before: str | None = None,
        filter: str | None = None,
    ) -> list[VectorStoreFile]:
        """The files of a vector store, or those with a status; see ``Store.list``."""
        equal = {"vector_store_id": vector_store_id, "status": filter}
        return self._listed(equal, limit, order, after, before)


class VectorStoreFileBatchStore(Store["VectorStoreFileBatch"]):
    """The batches of files that were added to vector stores."""

    def __init__(self) -> None:
        super().__init__("vector_store.files_batch")
        self._files: dict[str, list[str]] = {}

    def get_related_files(self, batch_id: str) -> list[str]:
        """The ids of a batch's files."""
        return self._files.get(batch_id, [])

    def add_related_file(self, batch_id: str, file_id: str) -> None:
        """Add a file to a batch."""
        self._files.setdefault(batch_id, []).append(file_id)


class VectorStoreStore(Store["VectorStore"]):
    """The vector stores, with ``files`` and ``file_batches``."""

    def __init__(self) -> None:
        super().__init__("vector_store")
        self.files: VectorStoreFileStore = VectorStoreFileStore("vector_store.file")
        self.file_batches: VectorStoreFileBatchStore = VectorStoreFileBatchStore()


class BetaStores:
    """The objects of the Assistants API."""

    def __init__(self) -> None:
        self.assistants: Store[Assistant] = Store("assistant")
        self.threads: ThreadStore = ThreadStore()


class StateStore:
    """The objects that a mock keeps, under the names that the client has for them.

    ::

        mock.store.beta.threads.put(Thread(id="thread_1", created_at=0, object="thread"))
        run = mock.store.beta.threads.runs.get("run_1")
    """

    def __init__(self) -> None:
        self.files: FileStore = FileStore()
        self.models: ModelStore = ModelStore()
        self.responses: Store[Response] = Store("response")
        self.vector_stores: VectorStoreStore = VectorStoreStore()
        self.beta: BetaStores = BetaStores()

    def of(self, name: str) -> Store[Any]:
        """The store with a name such as ``beta.threads.runs``. A new name gets an empty store."""
        store: Any = self
        for part in name.split("."):
            if not hasattr(store, part):
                setattr(store, part, Store())
            store = getattr(store, part)
        return cast("Store[Any]", store)


def _has(row: dict[str, Any], fields: Mapping[str, Any]) -> bool:
    return all(row.get(name) == value for name, value in fields.items())


def fields_of(obj: Any) -> dict[str, Any]:
    """A copy of an object as a dict."""
    return cast("dict[str, Any]", loads(dumps(obj)))


def model_of(fields: dict[str, Any]) -> Any:
    """The model of openai-python for an object; the same dict if there is none."""
    model = _MODELS.get(f"{fields.get('object')}")
    try:
        return fields if model is None else construct(model, fields)
    except (ImportError, AttributeError):  # openai-python is missing, or older or newer than this object
        return fields


def construct(model: str, fields: dict[str, Any]) -> Any:
    """A model of openai-python, made as its client makes it.

    Args:
        model: the module and the class, with a colon between them.
        fields: the fields.
    """
    module, _, name = model.partition(":")
    return getattr(import_module(module), name).construct(**fields)


def first_and_last(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The fields ``first_id`` and ``last_id`` of a page."""
    ids = [row.get("id") for row in rows]
    return {"first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None}
