"""Change runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet.testing._endpoints.runs import RUN
from ssejet.testing.openai_responses.helpers._building import merge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai.types.beta.threads import Run

__all__ = ["merge_run_with_partial"]


def merge_run_with_partial(run: Run, partial: Mapping[str, Any]) -> Run:
    """A copy of the run with other fields."""
    return merge(RUN, run, partial)
