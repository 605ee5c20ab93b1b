"""OpenAI's moderations."""

from __future__ import annotations

from typing import Any

from ssejet.testing._endpoints.base import StatelessEndpoint, new_id

__all__ = ["ENDPOINTS"]

_CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent",
    "self-harm", "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence",
    "violence/graphic",
)  # fmt: skip


class Moderations(StatelessEndpoint):
    """``POST /moderations``: by default, nothing is flagged."""

    name = "moderations.create"
    path = "/moderations"
    fields = ("id", "model", "results")
    has_default = True

    def complete(self, fields: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """Add the missing fields to an answer and its results."""
        results = fields.get("results")
        if results is None:
            results = [{} for _ in range(_count(body.get("input")))]
        begun = {"id": new_id("modr-"), "model": body.get("model", "omni-moderation-latest")}
        return begun | fields | {"results": [_result(result) for result in results]}


def _count(given: Any) -> int:
    """How many results an input has: each text of a list is one, all parts of one input are one."""
    return len(given) if isinstance(given, list) and all(isinstance(each, str) for each in given) else 1


def _result(result: dict[str, Any]) -> dict[str, Any]:
    categories = dict.fromkeys(_CATEGORIES, False) | result.get("categories", {})
    scores = dict.fromkeys(_CATEGORIES, 0.0) | result.get("category_scores", {})
    types: dict[str, list[str]] = {name: [] for name in _CATEGORIES}
    types |= result.get("category_applied_input_types", {})
    return (
        {"flagged": any(categories.values())}
        | result
        | {"categories": categories, "category_scores": scores, "category_applied_input_types": types}
    )


ENDPOINTS = (Moderations(),)
