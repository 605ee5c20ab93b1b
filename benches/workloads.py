"""The workloads: deterministic event streams, their events, and the sizes of their reads.

`python -m benches.workloads DIRECTORY` writes them to files, for the contestants in other languages.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

KIB = 1024
MIB = 1024 * KIB

CHAT_EVENT_BYTES = 322
SMALL_EVENT_BYTES = 122

ENGLISH = tuple(
    re.findall(
        r"\s*[\w`]+|\s*[^\w\s]+|\n+",
        "The quick brown fox jumps over the lazy dog. A decoder reads bytes, finds lines and hands out"
        ' events; nothing else.\n\nIt is "fast" when bytes are touched once.\n'
        "```python\ndef main():\n    return 42\n```\n",
    )
)
CJK = (
    *(
        "你",
        "好",
        "，",
        "世界",
        "。",
        "这",
        "是",
        "一个",
        "流式",
        "测试",
        "。",
        "解码",
        "器",
        "很",
        "快",
        "！",
        "\n",
    ),
    *("これ", "は", "ストリーミング", "の", "テスト", "です", "。", "速", "い", "。"),
    *("한국어", "도", " 빠르게", " 처리", "합니다", "."),
    *("👋", "🌍", "👩‍💻", "🎉"),
)


class Description(NamedTuple):
    """The title and the sizes of a workload, as the results store them."""

    title: str
    events: int
    bytes: int
    read_size: int

    @property
    def bytes_per_event(self) -> float:
        return self.bytes / self.events


@dataclass(frozen=True)
class Workload:
    """A stream of events, and how many bytes each read returns."""

    name: str
    title: str
    body: bytes = field(repr=False)
    data: tuple[str, ...] = field(repr=False)
    """The `data` of each event that a correct decoder returns."""
    read_size: int

    @cached_property
    def chunks(self) -> list[bytes]:
        size = self.read_size
        return [self.body[start : start + size] for start in range(0, len(self.body), size)]

    @property
    def description(self) -> Description:
        return Description(self.title, len(self.data), len(self.body), self.read_size)

    def write(self, directory: Path) -> Path:
        """Write files: the stream, the `data` of each event with NUL after it, and the read size."""
        path = directory / f"{self.name}.sse"
        path.write_bytes(self.body)
        path.with_suffix(".expected").write_bytes(b"".join(data.encode() + b"\0" for data in self.data))
        path.with_suffix(".read-size").write_text(f"{self.read_size}\n")
        return path


def all_workloads() -> list[Workload]:
    """Return all workloads, the most important ones first."""
    chat = [chat_chunk({"content": token}) for token in _cycle(ENGLISH, 2000)]
    cjk = [chat_chunk({"content": token}) for token in _cycle(CJK, 2000)]
    anthropic = [_anthropic(words) for words in _windows(ENGLISH, 2000)]
    small = [_small(token) for token in _cycle(ENGLISH, 4000)]
    large = [_large(index, 10 * KIB - len("data: \n\n")) for index in range(200)]
    huge = [_large(0, MIB)]
    event_line = "event: content_block_delta\n"
    keep_alive = ": keep-alive\n\n" * 4
    unknown = "x-request-id: 5d1e3c6a\nx-region: eu-north-1\ntrace: 00-4bf92f35-01\nvendor-flag\n"
    return [
        _workload("chat-per-event", "chat chunks, one event per read", chat, read_size=CHAT_EVENT_BYTES),
        _workload("chat-64k", "chat chunks, 64 KiB reads", chat),
        _workload("chat-64b", "chat chunks, 64-byte reads", chat, read_size=64),
        _workload("anthropic-64k", "event: and data: lines, 64 KiB reads", anthropic, before=event_line),
        _workload("crlf-64k", "chat chunks with CRLF, 64 KiB reads", chat, line_end="\r\n"),
        _workload("cjk-64k", "chat chunks in CJK and emoji, 64 KiB reads", cjk),
        _workload("json-122-64k", "122-byte JSON events, 64 KiB reads", small),
        _workload("large-64k", "10 KiB events, 64 KiB reads", large),
        _workload("huge-64b", "one 1 MiB event, 64-byte reads", huge, read_size=64),
        _workload(
            "comments-64k", "4 keep-alive comments per chat chunk, 64 KiB reads", chat, before=keep_alive
        ),
        _workload("unknown-64k", "4 unknown fields per chat chunk, 64 KiB reads", chat, before=unknown),
    ]


def _workload(
    name: str,
    title: str,
    data: Iterable[str],
    *,
    before: str = "",
    line_end: str = "\n",
    read_size: int = 64 * KIB,
) -> Workload:
    data = tuple(data)
    text = "".join(f"{before}data: {each}\n\n" for each in data)
    return Workload(name, title, text.replace("\n", line_end).encode(), data, read_size)


def chat_chunk(
    delta: dict[str, object], finish_reason: str | None = None, size: int = CHAT_EVENT_BYTES
) -> str:
    """Make a chunk of a chat completion like OpenAI's, padded to `size` with `obfuscation`."""
    chunk: dict[str, object] = {
        "id": "chatcmpl-CaXq2mT7bXvS0dYJkR4uHn8wLz5Ge",
        "object": "chat.completion.chunk",
        "created": 1763683200,
        "model": "gpt-4o-mini-2024-07-18",
        "system_fingerprint": "fp_51db84afab",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}],
    }
    return _padded(chunk, "obfuscation", size - len("data: \n\n"))


def _anthropic(text: str) -> str:
    """Make a delta like Anthropic's. With its `event:` line, it has the size of a chat chunk."""
    delta: dict[str, object] = {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": text},
    }
    size = CHAT_EVENT_BYTES - len("event: content_block_delta\ndata: \n\n")
    return _padded(delta, "p", size)


def _small(token: str) -> str:
    """Make a chunk with only the fields that every compatible server sends."""
    chunk: dict[str, object] = {"choices": [{"index": 0, "delta": {"content": token}, "finish_reason": None}]}
    return _padded(chunk, "id", SMALL_EVENT_BYTES - len("data: \n\n"))


def _large(index: int, size: int) -> str:
    """Make an event with a large base64 field, like an image."""
    return _padded({"type": "response.image.partial", "partial_image_index": index}, "b64_json", size)


def _padded(value: dict[str, object], key: str, size: int) -> str:
    """Make JSON of exactly `size` bytes in UTF-8, by padding the field `key`."""
    missing = size - len(_json({**value, key: ""}).encode())
    if missing < 0:
        raise ValueError(f"{-missing} bytes too long: {value}")
    alphabet = "q7Zt3mYbK9vLr5XwD2sNf8HjC4pGu6Ta"
    return _json({**value, key: (alphabet * (missing // len(alphabet) + 1))[:missing]})


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _cycle(tokens: tuple[str, ...], count: int) -> list[str]:
    return [tokens[index % len(tokens)] for index in range(count)]


def _windows(tokens: tuple[str, ...], count: int, width: int = 16) -> list[str]:
    endless = tokens * (count // len(tokens) + 2)
    return ["".join(endless[start : start + width]) for start in range(count)]


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for workload in all_workloads():
        workload.write(directory)
