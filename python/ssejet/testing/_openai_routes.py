"""The routes of OpenAI's API, for type checkers. ``tests/testing`` compares them with the endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssejet.testing._api_mock import Resource

if TYPE_CHECKING:
    from ssejet.testing._route import Route

__all__ = ["Beta", "Chat", "Create", "Files", "Images", "Models", "Responses", "VectorStores"]


class Create(Resource):
    """A resource with one method."""

    create: Route


class Chat(Resource):
    """``chat``."""

    completions: Create


class Responses(Resource):
    """``responses``."""

    create: Route
    retrieve: Route
    cancel: Route
    delete: Route


class Images(Resource):
    """``images``."""

    generate: Route
    edit: Route
    create_variation: Route


class Models(Resource):
    """``models``."""

    list: Route
    retrieve: Route
    delete: Route


class Files(Resource):
    """``files``."""

    create: Route
    list: Route
    retrieve: Route
    delete: Route
    content: Route


class _Objects(Resource):
    create: Route
    list: Route
    retrieve: Route
    update: Route
    delete: Route


class _VectorStoreFiles(_Objects):
    content: Route


class _VectorStoreFileBatches(Resource):
    create: Route
    retrieve: Route
    cancel: Route
    list_files: Route


class VectorStores(_Objects):
    """``vector_stores``."""

    files: _VectorStoreFiles
    file_batches: _VectorStoreFileBatches


class _RunSteps(Resource):
    list: Route
    retrieve: Route


class _Runs(Resource):
    create: Route
    list: Route
    retrieve: Route
    update: Route
    cancel: Route
    submit_tool_outputs: Route
    steps: _RunSteps


class _Threads(Resource):
    create: Route
    retrieve: Route
    update: Route
    delete: Route
    create_and_run: Route
    messages: _Objects
    runs: _Runs


class Beta(Resource):
    """``beta``. Its ``chat`` has the same routes as the mock's ``chat``."""

    assistants: _Objects
    threads: _Threads
    chat: Chat
