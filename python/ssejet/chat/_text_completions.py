"""Puts the chunks of the older completions endpoint together, for the errors of their streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import asdict, replace

from ssejet.chat._models import Completion, CompletionChoice, CompletionLogprobs

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["collect_texts"]


class _Texts:
    """The texts of a stream of completions, so far."""

    def __init__(self) -> None:
        self._latest: Completion | None = None
        self._choices: dict[int, tuple[list[str], dict[str, list[Any]], list[str]]] = {}

    def add(self, chunk: Completion) -> None:
        """Add a chunk."""
        usage = chunk.usage or (self._latest and self._latest.usage)
        self._latest = replace(chunk, choices=[], usage=usage)
        for choice in chunk.choices:
            texts, logprobs, reasons = self._choices.setdefault(choice.index, ([], {}, []))
            texts.append(choice.text)
            reasons += filter(None, [choice.finish_reason])
            for name, values in {} if choice.logprobs is None else asdict(choice.logprobs).items():
                if values is not None:
                    logprobs.setdefault(name, []).extend(values)

    def completion(self) -> Completion | None:
        """The completion so far; None if no chunk has come."""
        if self._latest is None:
            return None
        choices = [
            CompletionChoice(
                index=index,
                text="".join(texts),
                finish_reason=reasons[-1] if reasons else None,
                logprobs=CompletionLogprobs(**logprobs) if logprobs else None,
            )
            for index, (texts, logprobs, reasons) in sorted(self._choices.items())
        ]
        return replace(self._latest, choices=choices)


def collect_texts() -> tuple[Callable[[Completion], None], Callable[[], Completion | None]]:
    """What takes chunks, and what gives the completion that they make up."""
    texts = _Texts()
    return texts.add, texts.completion
