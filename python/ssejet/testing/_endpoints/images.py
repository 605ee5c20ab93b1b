"""OpenAI's images: generations, edits and variations, with their streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet.testing._endpoints.base import Event, StatelessEndpoint, count_tokens
from ssejet.testing._endpoints.objects import now

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ENDPOINTS"]

# A transparent PNG of one pixel.
_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="


class Images(StatelessEndpoint):
    """An endpoint whose answer is images: by default, as many as the request asks for, of one pixel.

    Args:
        name: its method in the SDK.
        path: its path.
        event: the beginning of the types of its events; None if the API does not stream it.
    """

    fields = (
        "created", "data", "background", "output_format", "quality", "size", "usage", "safety_identifier",
        "svg_usage",
    )  # fmt: skip
    has_default = True
    done = None
    names_events = True

    def __init__(self, name: str, path: str, event: str | None = None) -> None:
        self.name = name
        self.path = path
        self._event = event

    def complete(self, fields: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """Add the missing fields to an answer. A text in ``data`` is a URL."""
        images = fields.get("data")
        if images is None:
            by_url = body.get("response_format") == "url"
            image = {"url": "https://images.invalid/mock.png"} if by_url else {"b64_json": _PNG}
            images = [dict(image) for _ in range(int(body.get("n") or 1))]
        images = [{"url": image} if isinstance(image, str) else image for image in images]
        empty = {"b64_json": None, "url": None, "revised_prompt": None}
        asked = {"background": "opaque", "output_format": "png", "quality": "high", "size": "1024x1024"}
        asked |= {name: body[name] for name in asked if body.get(name) not in (None, "auto")}
        tokens = count_tokens({"prompt": body.get("prompt")})
        usage: dict[str, Any] = {
            "input_tokens": tokens,
            "output_tokens": len(images),
            "total_tokens": tokens + len(images),
        }
        usage["input_tokens_details"] = {"image_tokens": 0, "text_tokens": tokens}
        return (
            {"created": now(), "usage": usage} | asked | fields | {"data": [empty | each for each in images]}
        )

    def stream(self, answer: dict[str, Any], body: dict[str, Any]) -> Iterator[Any]:
        """The partial images that the request asks for, then the image."""
        if self._event is None:
            super().stream(answer, body)
        asked = {name: answer[name] for name in ("background", "output_format", "quality", "size")}
        for image in answer["data"]:
            shared = {"created_at": answer["created"], "b64_json": image.get("b64_json") or _PNG} | asked
            for place in range(int(body.get("partial_images") or 0)):
                kind = f"{self._event}.partial_image"
                yield Event(kind, {"type": kind, "partial_image_index": place} | shared)
            kind = f"{self._event}.completed"
            yield Event(kind, {"type": kind, "usage": answer["usage"]} | shared)


ENDPOINTS = (
    Images("images.generate", "/images/generations", "image_generation"),
    Images("images.edit", "/images/edits", "image_edit"),
    Images("images.create_variation", "/images/variations"),
)
