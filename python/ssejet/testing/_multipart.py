"""Reads forms with files, as clients upload them."""

from __future__ import annotations

from email.message import Message
from typing import Any

__all__ = ["Form", "parse_form"]


class Form:
    """A form.

    Attributes:
        fields: the values of its fields. A field ``name[]``, or one that comes several times, is a list;
            ``name[key]`` is a dict.
        files: the name of each file's field, the file's name and its content.
    """

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.files: list[tuple[str, str, bytes]] = []

    def _add(self, name: str, value: str) -> None:
        name, bracket, key = name.partition("[")
        key = key.rstrip("]")
        if bracket and key:
            self.fields.setdefault(name, {})[key] = value
        elif bracket or name in self.fields:
            before = self.fields.get(name, [])
            self.fields[name] = [*(before if isinstance(before, list) else [before]), value]
        else:
            self.fields[name] = value


def parse_form(content_type: str, body: bytes) -> Form:
    """Read the body of a ``multipart/form-data`` request.

    Raises:
        ValueError: it is something else, or cut short.
    """
    form = Form()
    for part in _parts(content_type, body):
        head, separator, content = part.partition(b"\r\n\r\n")
        if not separator:
            raise ValueError("a part of the form has no empty line after its headers")
        disposition = _disposition(head)
        name = _parameter(disposition, "name")
        if not name:
            raise ValueError("a part of the form has no name")
        filename = _parameter(disposition, "filename")
        if filename is None:
            form._add(name, content.decode())
        else:
            form.files.append((name.removesuffix("[]"), filename, content))
    return form


def _parts(content_type: str, body: bytes) -> list[bytes]:
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise ValueError(f"the content type {content_type!r} is not that of a form with a boundary")
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    if not pieces[-1].startswith(b"--"):
        raise ValueError("the form has no end")
    return [piece.removeprefix(b"\r\n") for piece in pieces[1:-1]]


def _disposition(head: bytes) -> Message:
    message = Message()
    for line in head.decode().split("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "content-disposition":
            message["content-disposition"] = value.strip()
    return message


def _parameter(disposition: Message, name: str) -> str | None:
    value = disposition.get_param(name, None, "content-disposition")
    return value[2] if isinstance(value, tuple) else value
