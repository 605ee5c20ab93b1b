"""Sequences of chat completion chunks, usual and odd, as the JSON that a server sends."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

TOOLS = [
    {"type": "function", "function": {"name": "weather", "parameters": {}, "strict": True}},
    {"type": "function", "function": {"name": "time", "parameters": {}}},
]

_TEXTS = [
    "Hello, world: no JSON",
    '{"city": "Łódź", "temperature": 12.5, "tags": ["a\\n", "b", {"c": null}], "n": -1e3}',
    '  {"city": "\\ud83d\\ude00 ☃", "more": {"d": [1, 2, 3]}} trailing',
    '{"city": "x", "temperature": 1, "city": "y"}',
    '{"city": tru',
    '"a string"',
    "",
]


def chunks(random: Random) -> list[dict[str, Any]]:
    """One stream's chunks."""
    choices = [_Choice(random, index) for index in range(random.choice([1, 1, 1, 2, 3]))]
    sequence: list[dict[str, Any]] = []
    extra = random.random() < 0.2
    while any(choice.deltas for choice in choices) and len(sequence) < 60:
        due = (
            random.sample(choices, random.randint(1, len(choices)))
            if random.random() < 0.1
            else [random.choice(choices)]
        )
        parts = [choice.next() for choice in due if choice.deltas]
        if random.random() < 0.03:
            parts = []
        chunk: dict[str, Any] = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1767323045,
            "model": "gpt",
            "choices": parts,
        }
        if extra:
            chunk |= {"usage": None, "system_fingerprint": random.choice([None, "fp"]), "obfuscation": "x"}
        if random.random() < 0.02:
            chunk["usage"] = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
        if random.random() < 0.02:
            chunk["provider"] = "p"
        sequence.append(chunk)
    return sequence


class _Choice:
    def __init__(self, random: Random, index: int) -> None:
        self._random = random
        self._index = index
        self._ended = False
        self._odd = random.random() < 0.3
        self.deltas = self._plan()

    def _plan(self) -> list[dict[str, Any]]:
        random = self._random
        deltas: list[dict[str, Any]] = []
        if random.random() < 0.3:
            deltas += [{"reasoning_content": piece} for piece in self._pieces("Let me think about it.")]
        if random.random() < 0.8:
            deltas += [{"content": piece} for piece in self._pieces(random.choice(_TEXTS))]
        elif random.random() < 0.5:
            deltas += [{"refusal": piece} for piece in self._pieces("I cannot do that.")]
        for index in range(random.choice([0, 0, 1, 2, 3])):
            deltas += self._tool_call(index)
        first = {
            "role": "assistant",
            **random.choice([{}, {"content": ""}, {"content": None, "refusal": None}]),
        }
        if self._odd and random.random() < 0.3:
            random.shuffle(deltas)
        if random.random() < 0.9:
            deltas.insert(0, first)
        return deltas or [first]

    def _tool_call(self, index: int) -> list[dict[str, Any]]:
        random = self._random
        pieces = self._pieces(random.choice(_TEXTS))
        name = random.choice(["weather", "time", "unknown"])
        whole = {
            "index": index,
            "id": f"call_{index}",
            "type": "function",
            "function": {"name": name, "arguments": ""},
        }
        deltas = [{"tool_calls": [whole]}]
        for piece in pieces:
            fragment: dict[str, Any] = {"index": index, "function": {"arguments": piece}}
            if self._odd and random.random() < 0.2:
                fragment = random.choice(
                    [
                        {**whole, "function": {"name": name, "arguments": piece}},
                        {"function": {"arguments": piece}},
                        {"index": index, "function": {"arguments": None}},
                        {
                            "index": index,
                            "id": None,
                            "type": None,
                            "function": {"arguments": piece, "name": None},
                        },
                        {"index": index, "extra": 1, "function": {"arguments": piece}},
                        {"index": index},
                        {"index": index + 1, "function": {"arguments": piece}},
                    ]
                )
            deltas.append({"tool_calls": [fragment]})
        if self._odd and random.random() < 0.3:
            deltas[0]["tool_calls"].append({"index": index, "function": {"arguments": "{"}})
        return deltas

    def _pieces(self, text: str) -> list[str]:
        pieces = []
        while text:
            size = self._random.randint(1, 8)
            pieces.append(text[:size])
            text = text[size:]
        return pieces

    def next(self) -> dict[str, Any]:
        random = self._random
        delta = self.deltas.pop(0)
        if self._odd and random.random() < 0.1:
            delta = delta | random.choice(
                [
                    {"role": "assistant"},
                    {"content": None},
                    {"reasoning": "r"},
                    {"reasoning_content": 5},
                    {"refusal": "no"},
                    {"tool_calls": None},
                    {"tool_calls": []},
                    {"content": 5},
                    {"function_call": {"name": "f", "arguments": "{"}},
                    {"annotations": []},
                    {"parsed": 1},
                ]
            )
        choice: dict[str, Any] = {"index": self._index, "delta": delta}
        if random.random() < 0.5:
            choice |= {"finish_reason": None, "logprobs": None}
        if random.random() < 0.02:
            choice["logprobs"] = {
                "content": [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}]
            }
        if not self.deltas and random.random() < 0.9:
            choice["finish_reason"] = random.choice(
                ["stop", "stop", "tool_calls", "length", "content_filter", "odd"]
            )
        if self._odd and random.random() < 0.01:
            choice = choice | random.choice(
                [{"index": 7}, {"index": -1}, {"index": "0"}, {"delta": None}, {"finish_reason": ""}]
            )
        return choice


def as_text(chunk: dict[str, Any]) -> str:
    """The chunk as a server writes it."""
    return json.dumps(chunk, ensure_ascii=False)
