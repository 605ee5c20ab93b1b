"""Endpoints for objects that the mock keeps: create, list, retrieve, update and delete.

A ``Kind`` says what its objects look like. Each endpoint is then one line of a table::

    NOTE = Kind("note", store="notes", id_prefix="note_", defaults={"text": ""})

    ENDPOINTS = (
        Create("notes.create", "/notes", NOTE),
        List("notes.list", "/notes", NOTE),
        Retrieve("notes.retrieve", "/notes/{note_id}", NOTE),
        Update("notes.update", "/notes/{note_id}", NOTE),
        Delete("notes.delete", "/notes/{note_id}", NOTE),
    )
"""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any

from ssejet.testing._answers import MockError
from ssejet.testing._endpoints.base import (
    Asked,
    Endpoint,
    RefusedError,
    integer,
    invalid,
    new_id,
    unknown_field,
)
from ssejet.testing._store import first_and_last

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from ssejet.testing._store import Page, Store

__all__ = ["Create", "Delete", "Kind", "List", "ObjectEndpoint", "Retrieve", "Update", "not_found", "now"]

_LIST_FIELDS = ("object", "data", "first_id", "last_id", "has_more")
_DELETED_FIELDS = ("id", "object", "deleted")

# How many objects a page may have, unless it has more by default.
_MOST = 100


def now() -> int:
    """The time as the API gives it, in seconds."""
    return int(time.time())


def not_found(noun: str, id: str | None) -> RefusedError:
    """The API's error for an object that does not exist."""
    return RefusedError(MockError(f"No {noun} found with id '{id}'.", status=404))


class Kind:
    """A kind of object.

    Args:
        object: the field ``object`` of its objects.
        store: where the mock keeps them, such as ``beta.threads``.
        id_prefix: the beginning of their ids.
        defaults: all other fields that they have, with their values at first.
        noun: what errors call them; by default, the last word of ``object``.
        parents: the kinds of the objects in whose paths they are. Their ids are fields of the objects.
        created: the name of the field with the time of creation.
        deleted: the field ``object`` of the answer to a deletion.
    """

    def __init__(
        self,
        object: str,
        *,
        store: str,
        id_prefix: str,
        defaults: Mapping[str, Any],
        noun: str | None = None,
        parents: Sequence[Kind] = (),
        created: str = "created_at",
        deleted: str | None = None,
    ) -> None:
        self.object = object
        self.noun = noun or object.rpartition(".")[2]
        self.deleted = deleted or f"{object}.deleted"
        self.parents = tuple(parents)
        self._store = store
        self._id_prefix = id_prefix
        self._created = created
        self._defaults = dict(defaults)
        self._fields = {"id", "object", created, *defaults, *(parent.parameter for parent in parents)}

    @property
    def parameter(self) -> str:
        """The path parameter with the id of an object."""
        return f"{self.noun.replace(' ', '_')}_id"

    def store(self, asked: Asked) -> Store[Any]:
        """Where the mock keeps the objects."""
        return asked.store.of(self._store)

    def check(self, fields: Mapping[str, Any]) -> None:
        """Refuse fields that the objects do not have.

        Raises:
            TypeError: there is one.
        """
        for name in fields:
            if name not in self._fields:
                raise unknown_field(name, self._fields)

    def known(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of a request that are fields of the objects."""
        return {name: value for name, value in body.items() if name in self._fields and value is not None}

    def make(self, fields: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
        """A new object with these fields. The mock does not keep it yet.

        Raises:
            TypeError: the objects have no such field.
        """
        self.check(fields)
        begun = {"id": new_id(self._id_prefix), "object": self.object, self._created: now()}
        return {**begun, **copy.deepcopy(self._defaults), **self.scope(asked), **fields}

    def scope(self, asked: Asked) -> dict[str, str]:
        """The ids of the parents, from the path."""
        names = [parent.parameter for parent in self.parents]
        return {name: asked.path[name] for name in names if name in asked.path}

    def keep(self, obj: dict[str, Any], asked: Asked) -> dict[str, Any]:
        """Keep an object, and return it."""
        self.store(asked).put(obj)
        return obj

    def require_parents(self, asked: Asked) -> None:
        """Check that the parents in the path exist.

        Raises:
            RefusedError: one does not.
        """
        for parent in self.parents:
            parent.require(asked)

    def require(self, asked: Asked) -> dict[str, Any]:
        """The object that the path names.

        Raises:
            RefusedError: it, or one of its parents, does not exist.
        """
        self.require_parents(asked)
        id = asked.path[self.parameter]
        obj = self.store(asked).fields(id, self.scope(asked))
        if obj is None:
            raise not_found(self.noun, id)
        return obj


class ObjectEndpoint(Endpoint):
    """An endpoint for one object of a kind, or all.

    Args:
        name: its method in the SDK.
        path: its path.
        kind: the kind of the objects.
    """

    has_default = True

    def __init__(self, name: str, path: str, kind: Kind) -> None:
        self.name = name
        self.path = path
        self.kind = kind

    def answer(self, given: str | bytes | dict[str, Any] | None, asked: Asked) -> Any:
        """The full answer."""
        if given is not None and not isinstance(given, dict):
            raise TypeError(f"mock.{self.name} answers with fields, not with a text")
        return self.act(given, asked)

    def act(self, given: dict[str, Any] | None, asked: Asked) -> Any:
        """Do what the request asks for; the fields that the test gives come first."""
        raise NotImplementedError

    def _refuse_unknown(self, given: Mapping[str, Any], known: Sequence[str]) -> None:
        for name in given:
            if name not in known:
                raise unknown_field(name, known)


class Create(ObjectEndpoint):
    """Makes an object of the request's parameters."""

    creates = True

    def act(self, given: dict[str, Any] | None, asked: Asked) -> Any:
        """Keep the new object."""
        self.kind.require_parents(asked)
        return self.kind.keep(self.kind.make(self.kind.known(asked.body) | (given or {}), asked), asked)


class Retrieve(ObjectEndpoint):
    """Finds an object. What a test gives is kept, even if there was no such object."""

    method = "GET"

    def act(self, given: dict[str, Any] | None, asked: Asked) -> Any:
        """The object that the path names."""
        if given is None:
            return self.kind.require(asked)
        id = asked.path[self.kind.parameter]
        found = self.kind.store(asked).fields(id, self.kind.scope(asked))
        self.kind.check(given)
        obj = self.kind.make({"id": id}, asked) if found is None else found
        return self.kind.keep(obj | given, asked)


class List(ObjectEndpoint):
    """Lists objects, a page at a time.

    Args:
        name: its method in the SDK.
        path: its path.
        kind: the kind of the objects.
        filters: for each query parameter that selects objects, the field that it must equal.
        limit: how many objects a page has if the request does not say so.
    """

    method = "GET"

    def __init__(
        self, name: str, path: str, kind: Kind, *, filters: Mapping[str, str] | None = None, limit: int = 20
    ) -> None:
        super().__init__(name, path, kind)
        self._filters = filters or {}
        self._limit = limit

    def act(self, given: dict[str, Any] | None, asked: Asked) -> Any:
        """The page that the query asks for."""
        if given is None:
            self.kind.require_parents(asked)
            page = self._page(asked, self._among(asked))
            rows, has_more = page.rows, page.has_more
        else:
            self._refuse_unknown(given, _LIST_FIELDS)
            rows, has_more = [self.kind.make(row, asked) for row in given.get("data", [])], False
        answer = {"object": "list", "data": rows, **first_and_last(rows), "has_more": has_more}
        return answer | {name: value for name, value in (given or {}).items() if name != "data"}

    def _among(self, asked: Asked) -> Container[str] | None:
        """The ids of the objects of which some are listed; None for all."""
        return None

    def _page(self, asked: Asked, among: Container[str] | None) -> Page:
        query = asked.query
        equal = {field: query.get(parameter) for parameter, field in self._filters.items()}
        limit = self._limit_of(query)
        order = query.get("order")
        if order not in {None, "asc", "desc"}:
            raise invalid("order", f"{order!r} is neither 'asc' nor 'desc'", "invalid_value")
        after, before = query.get("after"), query.get("before")
        return self.kind.store(asked).page(
            equal | self.kind.scope(asked), limit, order, after, before, among=among
        )

    def _limit_of(self, query: Mapping[str, str]) -> int:
        """How many objects the page may have.

        Raises:
            RefusedError: the API does not take this number.
        """
        limit = integer(query, "limit", self._limit)
        most = max(self._limit, _MOST)
        if limit < 1:
            reason = f"integer below minimum value. Expected a value >= 1, but got {limit} instead"
            raise invalid("limit", reason, "integer_below_min_value")
        if limit > most:
            reason = f"integer above maximum value. Expected a value <= {most}, but got {limit} instead"
            raise invalid("limit", reason, "integer_above_max_value")
        return limit


class Update(ObjectEndpoint):
    """Changes the fields of an object that the request has."""

    def act(self, given: dict[str, Any] | None, asked: Asked) -> Any:
        """The changed object."""
        self.kind.check(given or {})
        return self.kind.keep(self.kind.require(asked) | self.kind.known(asked.body) | (given or {}), asked)


class Delete(ObjectEndpoint):
    """Removes an object."""

    method = "DELETE"

    def act(self, given: dict[str, Any] | None, asked: Asked) -> Any:
        """Say that the object is gone."""
        self._refuse_unknown(given or {}, _DELETED_FIELDS)
        id = asked.path[self.kind.parameter]
        if given is None:
            self.kind.require(asked)
        self.kind.store(asked).remove(id, self.kind.scope(asked))
        return {"id": id, "object": self.kind.deleted, "deleted": True} | (given or {})
