"""Fields that servers add: gathered over the chunks of a stream as openai-python gathers them."""

from __future__ import annotations

from typing import Any

__all__ = ["copy_json", "merge_extra", "update_extra"]

# Names of things, which some servers repeat with each chunk; no text that grows.
_NAMES = frozenset(
    {
        "format",
        "id",
        "index",
        "model",
        "name",
        "object",
        "role",
        "signature",
        "status",
        "thought_signature",
        "type",
    }
)


def merge_extra(gathered: dict[str, Any], more: dict[str, Any]) -> None:
    """Add the fields of a delta: texts are appended, numbers added, objects and lists merged.

    Entries of a list that have an ``index`` are merged with the entry of that index.
    """
    for name, value in more.items():
        before = gathered.get(name)
        if value is None and before is not None:
            continue
        gathered[name] = copy_json(value) if before is None or name in _NAMES else _merged(before, value)


def update_extra(gathered: dict[str, Any], more: dict[str, Any]) -> None:
    """Take the latest value of each field that is not null."""
    for name, value in more.items():
        if value is not None or name not in gathered:
            gathered[name] = copy_json(value)


def _merged(before: Any, value: Any) -> Any:
    if isinstance(before, str) and isinstance(value, str):
        return before + value
    if isinstance(before, dict) and isinstance(value, dict):
        merge_extra(before, value)
        return before
    if isinstance(before, list) and isinstance(value, list):
        for entry in value:
            _merge_entry(before, entry)
        return before
    if _is_number(before) and _is_number(value):
        return before + value
    return value


def _merge_entry(entries: list[Any], entry: Any) -> None:
    index = entry.get("index") if isinstance(entry, dict) else None
    if index is not None:
        for each in entries:
            if (
                isinstance(each, dict)
                and each.get("index") == index
                and each.get("type") == entry.get("type", each.get("type"))
            ):
                merge_extra(each, entry)
                return
    entries.append(copy_json(entry))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def copy_json(value: Any) -> Any:
    """A copy that can be merged into, as chunks keep what they were made from."""
    if isinstance(value, dict):
        return {name: copy_json(each) for name, each in value.items()}
    return [copy_json(each) for each in value] if isinstance(value, list) else value
