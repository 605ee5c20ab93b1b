"""What servers say of errors: which JSON reports one, and what it tells.

There is no standard for this. OpenAI's way is ``{"error": {"message": …, "type": …, "code": …}}``; the others
are those of FastAPI, Cloudflare, DashScope, vLLM, NestJS, OAuth, AWS, Apigee, Tencent, FastChat and more.

Names of fields are looked up as ``_folded()`` writes them: ``errorMessage``, ``error_message`` and
``ErrorMessage`` are one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

__all__ = ["error_field", "error_message", "is_error", "is_error_answer", "is_ping", "is_retryable_code"]

# Where the text of an error stands, the most telling first.
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
# Of these, the ones that make an error of an object whose code is not that of a success.
_PLAIN_MESSAGES = frozenset({"message", "msg", "title"})
_ERRORS = ("error", "errors", "fault")
# What Azure and OData servers add for their own developers: the code and the message beside it count.
_DEBUGGING = frozenset({"innererror", "inner_error"})
# What an error may be wrapped in, which tells nothing itself.
_WRAPPERS = ("baseresp", "response", "responsemetadata", "header", "result", "output", "body", "status")
# Keys that no answer has besides errors, however they are worded.
_SIGNS = (
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
# Fields whose value false tells of an error, and those whose value true does.
_FALSE_SIGNS = ("success", "ok")
_TRUE_SIGNS = ("iserror", "haserror")
# What some servers send as the code of a success.
_SUCCESSES = frozenset({"", "0", "200", "201", "202", "204", "ok", "success", "succeeded", "none", "null"})
_FAILURE_WORDS = frozenset({"error", "fail", "failed", "failure"})
# What stands beside the message of an error that says nothing else of being one.
_BESIDE_MESSAGE = frozenset(
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
# Messages, or types of messages, by which servers only show that they are alive, or tell how far they are.
_SIGNS_OF_LIFE = frozenset(
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
_HTTP_PHRASES = frozenset(status.phrase.lower() for status in HTTPStatus)

# How many of several errors a message tells of, and how deep one may be hidden.
_MOST_TOLD = 5
_LONGEST_CODE = 10
_DEEPEST = 6

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
    """Whether JSON of any stream reports an error: it is an object whose ``error`` is truthy."""
    return isinstance(payload, Mapping) and bool(payload.get("error"))


def is_error_answer(payload: Any) -> bool:
    """Whether JSON that stands where an answer of a model belongs reports an error, in any known shape.

    Args:
        payload: the decoded JSON. An answer has ``choices``; an object that has some is an error only by its
            ``error``, by that of a choice, or by a ``finish_reason`` of ``"error"``. Of a list the first
            element counts.
    """
    if isinstance(payload, list):
        return bool(payload) and isinstance(payload[0], Mapping) and is_error_answer(payload[0])
    if not isinstance(payload, Mapping):
        return False
    if payload.get("error") or payload.get("object") == "error" or _groq_error(payload):
        return True
    choices = payload.get("choices")
    if isinstance(choices, (list, Mapping)) and choices:
        return any(map(_is_error_choice, _choices_of(payload)))
    fields = _folded(payload)
    return (
        _is_error_object(fields)
        or any(map(_is_failed_wrapper, map(fields.get, _WRAPPERS)))
        or _is_lone_message(fields)
    )


def is_ping(kind: str | None, text: str) -> bool:
    """Whether an event whose data is no JSON object only shows that the server is alive.

    Args:
        kind: the event's type.
        text: its data.
    """
    return not _PINGS.isdisjoint("".join(filter(str.isalnum, word)).lower() for word in (kind or "", text))


def _folded(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an object under names that do not depend on how a server writes names."""
    fields: dict[str, Any] = {}
    for name, value in payload.items():
        if isinstance(name, str):
            key = name.lower()
            # That of ``__type``, which AWS has for a code, is another field than ``type``.
            key = key if key.startswith("__") else key.replace("_", "").replace("-", "")
            if fields.get(key) in (None, ""):
                fields[key] = value
    return fields


def _is_error_object(fields: Mapping[str, Any]) -> bool:
    """Whether fields of an object that is no answer say that it is an error."""
    is_success = _has_success_code(fields)
    return (
        bool(fields.get("error"))
        or any(_is_no(fields.get(name)) for name in _FALSE_SIGNS)
        or any(fields.get(name) is True for name in _TRUE_SIGNS)
        or any(_is_error_kind(fields.get(name)) for name in _KINDS)
        or _has_failure_status(fields)
        or _is_failure_code(*map(fields.get, _ERROR_CODES))
        or (_is_failure_code(fields.get("code")) and not _PLAIN_MESSAGES.isdisjoint(fields))
        or (not is_success and any(map(fields.get, _SIGNS)))
        or any(_is_named_error(name, value) for name, value in fields.items())
    )


def _is_no(value: Any) -> bool:
    return value is False or (isinstance(value, str) and value.lower() == "false")


def _is_error_kind(kind: Any) -> bool:
    if not isinstance(kind, str):
        return False
    word = kind.lower()
    return word == "exception" or word.endswith("error")


def _is_named_error(name: str, value: Any) -> bool:
    """Whether a field is an error by its name, such as AWS's ``throttlingException``."""
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
        # MiniMax's has null for choices.
        or _is_failure_code(fields.get("statuscode"))
        or (_is_failure_code(fields.get("code")) and not _PLAIN_MESSAGES.isdisjoint(fields))
    )


def _is_lone_message(fields: Mapping[str, Any]) -> bool:
    """Whether an object holds a message, and nothing that an answer or an event has."""
    if not _BESIDE_MESSAGE.issuperset(fields) or _has_success_code(fields):
        return False
    message = fields.get("message") or fields.get("msg")
    if not isinstance(message, str) or not message.strip():
        return False
    words = {"".join(filter(str.isalnum, str(text))).lower() for text in (message, fields.get("type", ""))}
    return words.isdisjoint(_SIGNS_OF_LIFE)


def _groq_error(payload: Mapping[str, Any]) -> Any:
    """The error that Groq puts beside the choices."""
    beside = payload.get("x_groq")
    return beside.get("error") if isinstance(beside, Mapping) else None


def error_message(payload: Any) -> str | None:
    """The most telling text that a server gives of an error; None if there is none.

    Args:
        payload: the decoded JSON, or the text if it was not JSON.
    """
    return _text_of(payload, _DEEPEST)


def error_field(payload: Any, name: str) -> Any:
    """A field of an error, such as its ``code``, ``type`` or ``param``; None if there is none.

    Args:
        payload: the decoded JSON: the whole, or what stands in its ``error``.
        name: of the field. For ``code``, an HTTP status inside of the JSON is taken, too.
    """
    names = {"code": (*_CODES, *_STATUSES), "type": _TYPES}.get(name, (name.replace("_", "").lower(),))
    for part in _parts_of(payload, _DEEPEST):
        for each in () if name == "type" and "loc" in part else names:
            value = part.get(each)
            if value in (None, "") or (each == "status" and isinstance(value, (Mapping, list))):
                continue
            # These only say that it is an error.
            if not (value == "error" and each in {"type", "status"}):
                return value
    return None


def is_retryable_code(code: Any) -> bool:
    """Whether a code is one that servers give for their own trouble: overload, rate limits, internal errors.

    Args:
        code: an HTTP status, also as digits, or a word.
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
    is_number = isinstance(code, str) and code.isascii() and code.isdigit() and len(code) < _LONGEST_CODE
    return int(code) if is_number else code


def _is_failure_code(*codes: Any) -> bool:
    return any(
        isinstance(code, (str, int)) and not isinstance(code, bool) and str(code).lower() not in _SUCCESSES
        for code in codes
    )


def _has_failure_status(fields: Mapping[str, Any]) -> bool:
    for status in map(_number_or_word, map(fields.get, _STATUSES)):
        if (isinstance(status, int) and status >= 400) or (
            isinstance(status, str) and status.lower() in _FAILURE_WORDS
        ):
            return True
    return False


def _has_success_code(fields: Mapping[str, Any]) -> bool:
    codes = [code for code in map(fields.get, _CODES) if code is not None]
    return bool(codes) and all(str(code).lower() in _SUCCESSES for code in codes)


def _choices_of(payload: Mapping[str, Any]) -> list[Any]:
    choices = payload.get("choices")
    return choices if isinstance(choices, list) else [choices]


def _is_error_choice(choice: Any) -> bool:
    if not isinstance(choice, Mapping):
        return False
    delta = choice.get("delta")
    reason = choice.get("finish_reason")
    return (
        bool(choice.get("error"))
        or (isinstance(reason, str) and reason.lower() == "error")
        or (isinstance(delta, Mapping) and bool(delta.get("error")))
    )


def _error_of(choice: Mapping[str, Any]) -> Any:
    delta = choice.get("delta")
    inner = delta.get("error") if isinstance(delta, Mapping) else None
    # A choice's own message is an object: the answer.
    fields = _folded(choice)
    told = {name: fields[name] for name in _MESSAGES if isinstance(fields.get(name), str)}
    return choice.get("error") or inner or told


def _parts_of(payload: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """The objects that an error is made of, the innermost first, with folded names."""
    if depth == 0:
        return
    if isinstance(payload, list):
        for each in payload[:_MOST_TOLD]:
            yield from _parts_of(each, depth - 1)
    if isinstance(payload, Mapping):
        for choice in filter(_is_error_choice, _choices_of(payload)):
            yield from _parts_of(_error_of(choice), depth - 1)
        yield from _parts_of(_groq_error(payload), depth - 1)
        fields = _folded(payload)
        for inner in _inner_errors(fields, *_ERRORS, "detail", "message", "errormsg"):
            yield from _parts_of(inner, depth - 1)
        yield fields
        for name, value in payload.items():
            # The name of a field such as AWS's ``throttlingException`` is the type.
            if isinstance(name, str) and name.lower() not in _ERRORS and _is_named_error(name.lower(), value):
                yield {"type": name}


def _inner_errors(fields: Mapping[str, Any], *names: str) -> Iterator[Any]:
    """The objects and lists inside an error that may tell more of it than what stands beside them."""
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
        texts = [text for each in value[:_MOST_TOLD] if (text := _item_text(each, depth - 1))]
        return "; ".join(texts) + ("; …" if len(value) > _MOST_TOLD else "") if texts else None
    return _object_text(value, depth - 1) if isinstance(value, Mapping) else None


def _item_text(value: Any, depth: int) -> str | None:
    text = _text_of(value, depth)
    where = value.get("loc") if isinstance(value, Mapping) else None
    # FastAPI says in which field of the request something is wrong.
    return f"{'.'.join(map(str, where))}: {text}" if text and isinstance(where, list) and where else text


def _object_text(value: Mapping[str, Any], depth: int) -> str | None:
    # An object inside tells more than what stands beside it; a word beside a sentence tells less.
    for choice in filter(_is_error_choice, _choices_of(value)):
        if text := _text_of(_error_of(choice), depth):
            return text
    if text := _text_of(_groq_error(value), depth):
        return text
    fields = _folded(value)
    for inner in _inner_errors(fields, *_ERRORS):
        if text := _text_of(inner, depth):
            return text
    texts = [text for name in (*_MESSAGES, *_ERRORS) if (text := _text_of(fields.get(name), depth))]
    if not texts and isinstance(errors := fields.get("errors"), Mapping):
        # Frameworks say of each field of the request what is wrong with it.
        told = [*errors.items()][:_MOST_TOLD]
        texts = ["; ".join(f"{name}: {text}" for name, each in told if (text := _text_of(each, depth)))]
        texts = [*filter(None, texts)]
    if not texts and _is_failure_code(*map(fields.get, _ERROR_CODES)):
        texts = [text for text in [_text_of(fields.get("text"), depth)] if text]  # FastChat's
    return next(filter(_is_sentence, texts), texts[0] if texts else None)


def _is_sentence(text: str) -> bool:
    return " " in text and text.lower() not in _HTTP_PHRASES
