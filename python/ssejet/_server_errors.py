"""Errors that servers report in JSON: how to recognize one, and where its message, code and type are.

There is no standard. OpenAI sends ``{"error": {"message": …, "type": …, "code": …}}``; FastAPI, Cloudflare,
DashScope, vLLM, NestJS, OAuth, AWS, Apigee, Tencent, FastChat and others have their own shapes.

Names of fields are compared as ``_folded()`` writes them: ``errorMessage``, ``error_message`` and
``ErrorMessage`` are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

__all__ = [
    "error_field",
    "error_message",
    "has_choices",
    "is_error",
    "is_error_answer",
    "is_error_status",
    "is_ping",
    "is_retryable_code",
]

# Fields that hold the text of an error, the most informative first.
_MESSAGES = (
    "message",
    "errordescription",
    "errormessage",
    "errormsg",
    "errmsg",
    "statusmsg",
    "msg",
    "faultstring",
    "originalmessage",
    "detail",
    "details",
    "description",
    "reason",
    "exception",
    "title",
)
# An object with one of these and with a failure code is an error.
_PLAIN_MESSAGES = frozenset({"message", "msg", "title"})
_ERRORS = ("error", "errors", "fault")
# Azure and OData add these for their developers. The code and the message next to them count.
_DEBUGGING = frozenset({"innererror", "inner_error"})
# Fields whose value may contain an error.
_WRAPPERS = ("baseresp", "response", "responsemetadata", "header", "result", "output", "body", "status")
# Only errors have these fields.
_ERROR_FIELDS = (
    "errors",
    "fault",
    "detail",
    "exception",
    "errordescription",
    "errormessage",
    "errormsg",
    "errmsg",
    "errortype",
    "__type",
)
_ERROR_CODES = ("errorcode", "errcode", "errno")
_CODES = ("code", *_ERROR_CODES, "__type")
_TYPES = ("type", "errortype")
_STATUSES = ("status", "statuscode")
# Fields whose value can be "error".
_KINDS = ("type", "object", "event", "kind")
# Fields that report an error by the value false, and by the value true.
_FALSE_ERROR_FIELDS = ("success", "ok")
_TRUE_ERROR_FIELDS = ("iserror", "haserror")
# Codes that some servers send on success.
_SUCCESSES = frozenset({"", "0", "200", "201", "202", "204", "ok", "success", "succeeded", "none", "null"})
_FAILURE_WORDS = frozenset({"error", "fail", "failed", "failure"})
# An object with a message is an error if it has no fields but these.
_FIELDS_OF_LONE_MESSAGES = frozenset(
    {
        "message",
        "msg",
        "code",
        "type",
        "id",
        "requestid",
        "traceid",
        "timestamp",
        "path",
        "param",
        "documentationurl",
    }
)
# Messages, or types of messages, of pings and progress reports, which are not errors.
_PING_WORDS = frozenset(
    {
        "alive",
        "connected",
        "debug",
        "done",
        "event",
        "heartbeat",
        "info",
        "keepalive",
        "log",
        "message",
        "notice",
        "ok",
        "ping",
        "pong",
        "processing",
        "progress",
        "queued",
        "start",
        "status",
        "step",
        "success",
        "update",
        "waiting",
        "warning",
    }
)
_PINGS = frozenset({"alive", "heartbeat", "keepalive", "ping", "pong"})

# A message joins at most this many errors; an error is searched to this depth.
_MAX_ERRORS = 5
_MAX_CODE_LENGTH = 10
_MAX_DEPTH = 6

_FIRST_ERROR_STATUS = 400
_RETRYABLE_STATUSES = frozenset({408, 409, 429})
_RETRYABLE_WORDS = frozenset(
    {
        "api",
        "deadlineexceeded",
        "engineoverloaded",
        "internal",
        "internalserver",
        "modeloverloaded",
        "overloaded",
        "ratelimit",
        "ratelimited",
        "ratelimitreached",
        "ratelimitexceeded",
        "resourceexhausted",
        "server",
        "serveroverloaded",
        "serviceunavailable",
        "throttled",
        "timeout",
        "toomanyrequests",
        "unavailable",
    }
)


def is_error(payload: Any) -> bool:
    """Whether JSON of any stream reports an error: an object whose ``error`` is truthy."""
    return isinstance(payload, Mapping) and bool(payload.get("error"))


# The types of events whose fields say nothing of an error by their names: the ``message`` of a
# ``message_start`` is the model's, and what failed in a ``response.failed`` is in the response.
_EVENT_TYPES = frozenset(
    {
        "message_start",
        "message_delta",
        "message_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "ping",
    }
)
_EVENT_PREFIX = "response."


def is_error_answer(payload: Any) -> bool:
    """Whether JSON in place of a model's answer, or of an event or chunk of one, reports an error.

    It does in any protocol if the object, a choice of it, or a ``delta`` in these has a truthy ``error`` or
    the ``finish_reason`` ``"error"``. All other shapes count only in an object that has no choices and is no
    event of the Responses or the Messages API.

    Args:
        payload: the decoded JSON. For a list, the first element decides.
    """
    if isinstance(payload, list):
        return bool(payload) and isinstance(payload[0], Mapping) and is_error_answer(payload[0])
    if not isinstance(payload, Mapping):
        return False
    if payload.get("object") == "error" or _groq_error(payload) or any(_failed_parts_of(payload)):
        return True
    if _is_event(payload) or (has_choices(payload) and payload["choices"]):
        return False
    fields = _folded(payload)
    return (
        _is_error_object(fields)
        or any(map(_is_failed_wrapper, map(fields.get, _WRAPPERS)))
        or _is_lone_message(fields)
    )


def _is_event(payload: Mapping[str, Any]) -> bool:
    """Whether an object is an event of the Responses or the Messages API."""
    kind = payload.get("type")
    return isinstance(kind, str) and (kind in _EVENT_TYPES or kind.startswith(_EVENT_PREFIX))


def has_choices(payload: Mapping[str, Any]) -> bool:
    """Whether an object has the choices of a completion: a list, or, from some servers, an object."""
    return isinstance(payload.get("choices"), (list, Mapping))


def is_ping(kind: str | None, text: str) -> bool:
    """Whether an event whose data is not a JSON object only shows that the server is alive.

    Args:
        kind: the event's type.
        text: its data.
    """
    return not _PINGS.isdisjoint("".join(filter(str.isalnum, word)).lower() for word in (kind or "", text))


def _folded(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an object under names in lower case, without hyphens and underscores."""
    fields: dict[str, Any] = {}
    for name, value in payload.items():
        if isinstance(name, str):
            key = name.lower()
            # AWS has a code in ``__type``, which must not be confused with ``type``.
            key = key if key.startswith("__") else key.replace("_", "").replace("-", "")
            if fields.get(key) in (None, ""):
                fields[key] = value
    return fields


def _is_error_object(fields: Mapping[str, Any]) -> bool:
    """Whether the fields of an object that is not an answer say that it is an error."""
    is_success = _has_success_code(fields)
    return (
        bool(fields.get("error"))
        or any(_is_false(fields.get(name)) for name in _FALSE_ERROR_FIELDS)
        or any(fields.get(name) is True for name in _TRUE_ERROR_FIELDS)
        or any(_is_error_kind(fields.get(name)) for name in _KINDS)
        or _has_failure_status(fields)
        or _is_failure_code(*map(fields.get, _ERROR_CODES))
        or (_is_failure_code(fields.get("code")) and not _PLAIN_MESSAGES.isdisjoint(fields))
        or (not is_success and any(map(fields.get, _ERROR_FIELDS)))
        or any(_is_named_error(name, value) for name, value in fields.items())
    )


def _is_false(value: Any) -> bool:
    return value is False or (isinstance(value, str) and value.lower() == "false")


def _is_error_kind(kind: Any) -> bool:
    if not isinstance(kind, str):
        return False
    word = kind.lower()
    return word == "exception" or word.endswith("error")


def _is_named_error(name: str, value: Any) -> bool:
    """Whether the name of a field says that it is an error, such as AWS's ``throttlingException``."""
    if not isinstance(value, Mapping) or not value or name in _DEBUGGING:
        return False
    return name.endswith(("error", "exception", "fault"))


def _is_failed_wrapper(value: Any) -> bool:
    if not isinstance(value, Mapping) or value.get("choices"):
        return False
    fields = _folded(value)
    return (
        bool(fields.get("error"))
        or _is_failure_code(*map(fields.get, _ERROR_CODES))
        # MiniMax sends it, with null for choices.
        or _is_failure_code(fields.get("statuscode"))
        or (_is_failure_code(fields.get("code")) and not _PLAIN_MESSAGES.isdisjoint(fields))
    )


def _is_lone_message(fields: Mapping[str, Any]) -> bool:
    """Whether an object holds a message, and nothing that only an answer or an event has."""
    if not _FIELDS_OF_LONE_MESSAGES.issuperset(fields) or _has_success_code(fields):
        return False
    message = fields.get("message") or fields.get("msg")
    if not isinstance(message, str) or not message.strip():
        return False
    words = {"".join(filter(str.isalnum, str(text))).lower() for text in (message, fields.get("type", ""))}
    return words.isdisjoint(_PING_WORDS)


def _groq_error(payload: Mapping[str, Any]) -> Any:
    """The error that Groq sends next to the choices."""
    extension = payload.get("x_groq")
    return extension.get("error") if isinstance(extension, Mapping) else None


def error_message(payload: Any) -> str | None:
    """The most informative text of an error, or None if there is none.

    Args:
        payload: the decoded JSON, or the text if it was not JSON.
    """
    return _text_of(payload, _MAX_DEPTH)


def error_field(payload: Any, name: str) -> Any:
    """A field of an error, such as its ``code``, ``type`` or ``param``, or None if it has none.

    Args:
        payload: the decoded JSON: all of it, or its ``error``.
        name: the name of the field. For ``code``, an HTTP status in the JSON also counts.
    """
    names = {"code": (*_CODES, *_STATUSES), "type": _TYPES}.get(name, (name.replace("_", "").lower(),))
    for part in _parts_of(payload, _MAX_DEPTH):
        for each in () if name == "type" and "loc" in part else names:
            value = part.get(each)
            if value in (None, "") or (each == "status" and isinstance(value, (Mapping, list))):
                continue
            # This only says that it is an error.
            if not (value == "error" and each in {"type", "status"}):
                return value
    return None


def is_error_status(status: Any) -> bool:
    """Whether an HTTP status is an error."""
    return isinstance(status, int) and status >= _FIRST_ERROR_STATUS


def is_retryable_code(code: Any) -> bool:
    """Whether a code means overload, a rate limit or an internal error, so that a retry may succeed.

    Args:
        code: an HTTP status, as a number or digits, or a word.
    """
    code = _number_or_word(code)
    if isinstance(code, int):
        return code in _RETRYABLE_STATUSES or 500 <= code < 600
    if not isinstance(code, str):
        return False
    word = "".join(filter(str.isalnum, code)).lower()
    word = word.removesuffix("error").removesuffix("exception") or word
    return word in _RETRYABLE_WORDS or word.startswith("throttling")


def _number_or_word(code: Any) -> Any:
    is_number = isinstance(code, str) and code.isascii() and code.isdigit() and len(code) < _MAX_CODE_LENGTH
    return int(code) if is_number else code


def _is_failure_code(*codes: Any) -> bool:
    return any(
        isinstance(code, (str, int)) and not isinstance(code, bool) and str(code).lower() not in _SUCCESSES
        for code in codes
    )


def _has_failure_status(fields: Mapping[str, Any]) -> bool:
    for status in map(_number_or_word, map(fields.get, _STATUSES)):
        if is_error_status(status) or (isinstance(status, str) and status.lower() in _FAILURE_WORDS):
            return True
    return False


def _has_success_code(fields: Mapping[str, Any]) -> bool:
    codes = [code for code in map(fields.get, _CODES) if code is not None]
    return bool(codes) and all(str(code).lower() in _SUCCESSES for code in codes)


def _failed_parts_of(payload: Mapping[str, Any]) -> Iterator[Any]:
    """The choices of a chunk that report an error, then the chunk itself if it does."""
    choices = payload.get("choices")
    for choice in choices if isinstance(choices, list) else [choices]:
        if _is_failed(choice):
            yield choice
    if _is_failed(payload):
        yield payload


def _is_failed(part: Any) -> bool:
    """Whether a chunk, an event or a choice says, in itself or in its ``delta``, that it is an error."""
    return isinstance(part, Mapping) and any(
        bool(each.get("error")) or _is_error_reason(each.get("finish_reason"))
        for each in (part, part.get("delta"))
        if isinstance(each, Mapping)
    )


def _is_error_reason(reason: Any) -> bool:
    return isinstance(reason, str) and reason.lower() == "error"


def _error_of(part: Mapping[str, Any]) -> Any:
    """What a failed part says of its error; None for a part that only has a ``finish_reason``."""
    delta = part.get("delta")
    inner = delta.get("error") if isinstance(delta, Mapping) else None
    # The message of a good choice is an object: the answer.
    fields = _folded(part)
    texts = {name: fields[name] for name in _MESSAGES if isinstance(fields.get(name), str)}
    return part.get("error") or inner or texts


def _parts_of(payload: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """The objects of which an error consists, the innermost first, with folded names."""
    if depth == 0:
        return
    if isinstance(payload, list):
        for each in payload[:_MAX_ERRORS]:
            yield from _parts_of(each, depth - 1)
    if isinstance(payload, Mapping):
        for part in _failed_parts_of(payload):
            if part is not payload or not payload.get("error"):
                yield from _parts_of(_error_of(part), depth - 1)
        yield from _parts_of(_groq_error(payload), depth - 1)
        fields = _folded(payload)
        for inner in _inner_errors(fields, *_ERRORS, "detail", "message", "errormsg"):
            yield from _parts_of(inner, depth - 1)
        yield fields
        for name, value in payload.items():
            # A name such as AWS's ``throttlingException`` is the type.
            if isinstance(name, str) and name.lower() not in _ERRORS and _is_named_error(name.lower(), value):
                yield {"type": name}


def _inner_errors(fields: Mapping[str, Any], *names: str) -> Iterator[Any]:
    """The objects and lists inside an error that may be more informative than the fields next to them."""
    for name in names:
        if isinstance(fields.get(name), (Mapping, list)):
            yield fields[name]
    for name, value in fields.items():
        if name not in names and _is_named_error(name, value):
            yield value
    yield from filter(_is_failed_wrapper, map(fields.get, _WRAPPERS))


def _text_of(value: Any, depth: int) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    if depth == 0:
        return None
    if isinstance(value, list):
        texts = [text for each in value[:_MAX_ERRORS] if (text := _item_text(each, depth - 1))]
        return "; ".join(texts) + ("; …" if len(value) > _MAX_ERRORS else "") if texts else None
    return _object_text(value, depth - 1) if isinstance(value, Mapping) else None


def _item_text(value: Any, depth: int) -> str | None:
    text = _text_of(value, depth)
    where = value.get("loc") if isinstance(value, Mapping) else None
    # FastAPI names the field of the request that is wrong.
    return f"{'.'.join(map(str, where))}: {text}" if text and isinstance(where, list) and where else text


def _object_text(value: Mapping[str, Any], depth: int) -> str | None:
    # An inner object is more informative than the fields next to it, and a sentence more than a word.
    for part in _failed_parts_of(value):
        # Its own error is looked at below, with the fields next to it.
        if (part is not value or not value.get("error")) and (text := _text_of(_error_of(part), depth)):
            return text
    if text := _text_of(_groq_error(value), depth):
        return text
    fields = _folded(value)
    for inner in _inner_errors(fields, *_ERRORS):
        if text := _text_of(inner, depth):
            return text
    texts = [text for name in (*_MESSAGES, *_ERRORS) if (text := _text_of(fields.get(name), depth))]
    if not texts and isinstance(errors := fields.get("errors"), Mapping):
        # Some frameworks report an error for each wrong field of the request.
        items = [*errors.items()][:_MAX_ERRORS]
        texts = ["; ".join(f"{name}: {text}" for name, each in items if (text := _text_of(each, depth)))]
        texts = [*filter(None, texts)]
    if not texts and _is_failure_code(*map(fields.get, _ERROR_CODES)):
        texts = [text for text in [_text_of(fields.get("text"), depth)] if text]  # FastChat's
    return next(filter(_is_sentence, texts), texts[0] if texts else None)


def _is_sentence(text: str) -> bool:
    return " " in text and text.lower() not in _http_phrases()


@cache
def _http_phrases() -> frozenset[str]:
    """The names of HTTP statuses, such as "bad gateway", in lower case."""
    from http import HTTPStatus  # takes long to import

    return frozenset(status.phrase.lower() for status in HTTPStatus)
