"""Patches openai-python, which Stainless generated: its streams, clients and chat helper."""

from __future__ import annotations

from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any

from openai import OpenAI
from openai.lib.streaming.chat import AsyncChatCompletionStreamManager, ChatCompletionStreamManager

from ssejet.swap._stainless import StainlessSwapIn, derived, give_managers
from ssejet.swap._support import Patch, UnsupportedError
from ssejet.swap.openai._chat import LinearState

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SWAP_IN"]


def _enter(stock: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @wraps(stock)
    def enter(self: Any) -> Any:
        stream = stock(self)
        stream._state = LinearState.of(stream._state)
        return stream

    return enter


def _aenter(stock: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @wraps(stock)
    async def enter(self: Any) -> Any:
        stream = await stock(self)
        stream._state = LinearState.of(stream._state)
        return stream

    return enter


_PATCHES = [
    Patch(ChatCompletionStreamManager, "__enter__", _enter(ChatCompletionStreamManager.__enter__)),
    Patch(
        AsyncChatCompletionStreamManager, "__aenter__", _aenter(AsyncChatCompletionStreamManager.__aenter__)
    ),
]
_MANAGERS = {
    cls: derived(cls, _PATCHES) for cls in (ChatCompletionStreamManager, AsyncChatCompletionStreamManager)
}


class _ClientChanges:
    @cached_property
    def chat(self) -> Any:
        chat = super().chat  # type: ignore[misc]
        give_managers(chat.completions, _MANAGERS)
        return chat

    @cached_property
    def beta(self) -> Any:
        beta = super().beta  # type: ignore[misc]
        if hasattr(beta, "chat"):
            give_managers(beta.chat.completions, _MANAGERS)
        return beta


class _SwapIn(StainlessSwapIn):
    wrapped = "thread."

    def client_changes(self) -> type:
        return _ClientChanges

    def may_build(self, stream: Any) -> bool:
        return getattr(getattr(stream, "_options", None), "stream_mode", "legacy") == "legacy"

    def only(self, stream: Any, names: list[str]) -> list[str]:
        # An Assistants event has the fields `event` and `data`.
        options = getattr(stream, "_options", None)
        return [] if getattr(options, "synthesize_event_and_data", None) else names


if not hasattr(OpenAI, "chat"):
    raise UnsupportedError("its clients make their resources when they are made")
SWAP_IN = _SwapIn("openai", _PATCHES)
