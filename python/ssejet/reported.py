"""What servers say of errors: which JSON reports one, and what it tells.

There is no standard for this. OpenAI's way is ``{"error": {"message": …, "type": …, "code": …}}``; the others
are those of FastAPI, Cloudflare, DashScope, vLLM, NestJS, OAuth and more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

__all__ = ["error_field", "error_message", "is_error", "is_error_answer", "is_retryable_code"]

# Where the text of an error stands, the most telling first.
_MESSAGES = (
    "message",
    "error_description",
    "error_message",
    "errorMessage",
    "error_msg",
    "errmsg",
    "err_msg",
    "status_msg",
    "msg",
    "detail",
    "details",
    "description",
    "reason",
    "title",
)
_ERRORS = ("error", "errors")
# Keys that no answer has besides errors, however they are worded.
_SIGNS = ("errors", "detail", "error_description", "error_message", "errorMessage", "error_msg", "errmsg")
_CODES = ("code", "error_code", "errorCode", "errcode", "err_code", "errno", "__type")
_TYPES = ("type", "error_type", "errorType")
_STATUSES = ("status", "statusCode", "status_code")
# What some servers send as the code of a success.
_SUCCESSES = frozenset({"", "0", "200", "ok", "success"})
_FAILURE_WORDS = frozenset({"error", "fail", "failed", "failure"})
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
            ``error``, by that of a choice, or by a ``finish_reason`` of ``"error"``.
    """
    if not isinstance(payload, Mapping):
        return False
    if payload.get("error") or payload.get("object") == "error":
        return True
    choices = payload.get("choices")
    if isinstance(choices, (list, Mapping)) and choices:
        return any(map(_is_error_choice, _choices_of(payload)))
    return (
        payload.get("success") is False
        or (any(map(payload.get, _SIGNS)) and not _has_success_code(payload))
        or payload.get("type") == "error"
        or (any(map(payload.get, ("message", "msg", "title", "err_msg"))) and _has_failure_code(payload))
        or _is_failed_base(payload.get("base_resp"))
    )


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
    names = {"code": (*_CODES, *_STATUSES), "type": _TYPES}.get(name, (name,))
    for part in _parts_of(payload, _DEEPEST):
        for each in () if name == "type" and "loc" in part else names:
            value = part.get(each)
            # These only say that it is an error.
            if value not in (None, "") and not (value == "error" and each in {"type", "status"}):
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


def _has_failure_code(payload: Mapping[str, Any]) -> bool:
    for code in map(payload.get, _CODES):
        if code is not None and code is not False and str(code).lower() not in _SUCCESSES:
            return True
    for status in map(_number_or_word, map(payload.get, _STATUSES)):
        if (isinstance(status, int) and status >= 400) or (
            isinstance(status, str) and status.lower() in _FAILURE_WORDS
        ):
            return True
    return False


def _has_success_code(payload: Mapping[str, Any]) -> bool:
    codes = [code for code in map(payload.get, _CODES) if code is not None]
    return bool(codes) and all(str(code).lower() in _SUCCESSES for code in codes)


def _is_failed_base(base: Any) -> bool:
    # MiniMax's, with null for choices.
    return isinstance(base, Mapping) and base.get("status_code") not in (None, 0, "0")


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
    told = {name: choice[name] for name in _MESSAGES if isinstance(choice.get(name), str)}
    return choice.get("error") or inner or told


def _parts_of(payload: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    """The objects that an error is made of, the innermost first."""
    if depth == 0:
        return
    if isinstance(payload, list):
        for each in payload[:_MOST_TOLD]:
            yield from _parts_of(each, depth - 1)
    if isinstance(payload, Mapping):
        for choice in filter(_is_error_choice, _choices_of(payload)):
            yield from _parts_of(_error_of(choice), depth - 1)
        for name in (*_ERRORS, "detail", "message", "base_resp"):
            yield from _parts_of(payload.get(name), depth - 1)
        yield payload


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
    for name in (*_ERRORS, "base_resp"):
        if isinstance(value.get(name), (Mapping, list)) and (text := _text_of(value[name], depth)):
            return text
    texts = [text for name in (*_MESSAGES, *_ERRORS) if (text := _text_of(value.get(name), depth))]
    return next(filter(_is_sentence, texts), texts[0] if texts else None)


def _is_sentence(text: str) -> bool:
    return " " in text and text.lower() not in _HTTP_PHRASES
