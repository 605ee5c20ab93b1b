"""What a mock was asked, and what became of its answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

__all__ = ["Call"]


@dataclass(eq=False)
class Call:
    """One request and its answer.

    Attributes:
        request: the request, of the client's library, its body read.
        response: the response, of the same library; None until there is one.
    """

    request: Any
    response: Any = None

    @property
    def json(self) -> Any:
        """The request's body, decoded.

        Raises:
            json.JSONDecodeError: it is not JSON.
        """
        return json.loads(self.request.content)

    @property
    def closed(self) -> bool:
        """Whether the client has read the answer to its end, or closed it."""
        return self.response is not None and bool(self.response.is_closed)
