"""Steps of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ssejet.testing._endpoints.runs import STEP
from ssejet.testing.openai_responses.helpers._building import ask, make

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai.types.beta.threads.runs import RunStep

__all__ = ["build_run_step"]


def build_run_step(partial: Mapping[str, Any]) -> RunStep:
    """A step with these fields. No mock keeps it."""
    fields = {"thread_id": "", "run_id": "", **partial}
    return cast("RunStep", make(STEP, "openai.types.beta.threads.runs:RunStep", ask(), fields))
