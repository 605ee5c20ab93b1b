"""The routes of OpenAI's API, with the attributes that openai-responses gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet.testing._route import Route as _Route
from ssejet.testing.openai_responses._respx import CallList, RespxInterface

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Route"]


class Route(RespxInterface, _Route):
    """A route. It is also its own ``route``, where openai-responses has a route of respx."""

    @property
    def route(self) -> Self:
        """This route."""
        return self

    @property
    def calls(self) -> CallList:
        """The requests so far, with their answers."""
        return CallList(super().calls)

    def _also_offered(self) -> dict[str, Any]:
        return {"state_store": self._mock.store}

    def _answer_with(self, answer: Any) -> None:
        self.response = answer

    def _answer_in_turn(self, answers: list[Any]) -> None:
        self.set_responses(answers, strict=False)
