"""The requests and answers of the protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, NoReturn

from ssejet._json import dumps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["NO_STORE", "Answer", "Request", "RequestError", "error_answer", "refuse"]

NO_STORE = ("cache-control", "no-store")


class Request(NamedTuple):
    """A request.

    Attributes:
        method: its method.
        url: the URL of the stream, without parameters.
        parameters: the values of each parameter of the query.
        headers: its headers, with names in lower case.
        body: its body.
    """

    method: str
    url: str
    parameters: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: bytes = b""


class Answer(NamedTuple):
    """The answer to a request.

    Attributes:
        status: its status.
        headers: its headers, with names in lower case.
        body: its body.
    """

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""


class RequestError(Exception):
    """A request is refused.

    Attributes:
        answer: what the client gets.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer)
        self.answer = answer


def error_answer(status: int, code: str, message: str, headers: Sequence[tuple[str, str]] = ()) -> Answer:
    """Make an answer that reports an error."""
    body = dumps({"error": {"code": code, "message": message}})
    return Answer(status, [("content-type", "application/json"), NO_STORE, *headers], body)


def refuse(status: int, code: str, message: str, headers: Sequence[tuple[str, str]] = ()) -> NoReturn:
    """Raise the error of a request.

    Raises:
        RequestError: always.
    """
    raise RequestError(error_answer(status, code, message, headers))
