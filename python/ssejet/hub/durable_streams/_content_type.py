"""What the content type of a stream decides: how bodies become messages, and messages bodies and events."""

from __future__ import annotations

import re
from base64 import b64encode
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ssejet.hub.durable_streams._exchange import refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ContentType", "encode_event"]

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA_TYPE = re.compile(rf"({_TOKEN}/{_TOKEN})[ \t]*(;[\x20-\x7e\t]*)?", re.ASCII)
_CHARSET = re.compile(rf";\s*charset\s*=\s*\"?({_TOKEN})", re.ASCII | re.IGNORECASE)
_LINE_END = re.compile(r"\r\n|\r|\n")
_LONGEST = 256

# The bytes of one entry of a log, so that a large body is read in several chunks.
_PIECE = 64 * 1024

# The most messages of one request: each one takes more memory than its bytes.
_MAX_MESSAGES = 10_000

_JSON_SPACE = b" \t\r\n"
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_VALUE = msgspec.json.Decoder(msgspec.Raw)


class ContentType(NamedTuple):
    """A content type.

    Attributes:
        text: as it was written.
        essence: type and subtype, in lower case.
        charset: its charset, in lower case; ``"utf-8"`` if it names none.
    """

    text: str
    essence: str
    charset: str

    @classmethod
    def parse(cls, text: str) -> ContentType:
        """Read a header.

        Raises:
            RequestError: it is no media type.
        """
        text = text.strip()
        match = _MEDIA_TYPE.fullmatch(text) if len(text) <= _LONGEST else None
        if match is None:
            refuse(400, "invalid-content-type", "Content-Type must be a media type, such as application/json")
        charset = _CHARSET.search(match[2] or "")
        return cls(text, match[1].lower(), charset[1].lower() if charset else "utf-8")

    @property
    def is_json(self) -> bool:
        """Whether the stream consists of messages of JSON."""
        return self.essence == "application/json"

    @property
    def is_text(self) -> bool:
        """Whether events carry the stream as text, and not as base64."""
        return self.charset in ("utf-8", "us-ascii") and (self.is_json or self.essence.startswith("text/"))

    def matches(self, other: ContentType) -> bool:
        """Whether both mean the same. Only the charset matters of the parameters."""
        return (self.essence, self.charset) == (other.essence, other.charset)

    def split(self, body: bytes) -> list[bytes]:
        """Make messages of a body. The array of a body of JSON is one message for each element.

        Raises:
            RequestError: the body is not JSON, or has too many messages.
        """
        if not self.is_json:
            return [body[at : at + _PIECE] for at in range(0, len(body), _PIECE)]
        try:
            body.decode()
            # Raw values stay as they were sent: numbers, the order of keys, and spaces too.
            if body.lstrip(_JSON_SPACE).startswith(b"["):
                values = _ARRAY.decode(body)
            else:
                values = [_VALUE.decode(body)]
        except RecursionError:
            refuse(400, "invalid-json", "the body is nested too deep")
        except (UnicodeDecodeError, msgspec.DecodeError) as error:
            refuse(400, "invalid-json", f"the body is not JSON: {error}")
        if len(values) > _MAX_MESSAGES:
            refuse(413, "too-many-messages", f"a request has at most {_MAX_MESSAGES} messages: send several")
        return [bytes(value).strip(_JSON_SPACE) for value in values]

    def join(self, messages: Sequence[bytes]) -> bytes:
        """Make the body of an answer."""
        return b"[%b]" % b",".join(messages) if self.is_json else b"".join(messages)

    def event(self, messages: Sequence[bytes]) -> bytes:
        """Make an event with messages as its data."""
        data = self.join(messages)
        return encode_event("data", data if self.is_text else b64encode(data))

    def ends_within_character(self, messages: Sequence[bytes]) -> bool:
        """Whether an event with these messages would cut a character in two."""
        if not self.is_text or self.is_json:
            return False
        return bool(_incomplete(b"".join(messages[-4:])[-4:]))


def encode_event(type: str, data: bytes) -> bytes:
    """Encode an event.

    This differs from ``ssejet.encode`` in one point: no space is added after a colon, as some clients expect.
    """
    text = data.decode(errors="replace")
    # The first space of a line would be taken for the one after the colon.
    lines = [f"data:{' ' if line.startswith(' ') else ''}{line}\n" for line in _LINE_END.split(text)]
    return f"event: {type}\n{''.join(lines)}\n".encode()


def _incomplete(end: bytes) -> int:
    """The number of bytes at the end that may be the beginning of a character in UTF-8."""
    for count in range(1, min(len(end), 3) + 1):
        byte = end[-count]
        if byte & 0xC0 != 0x80:  # it is the first byte of a character
            length = (
                2 if byte >> 5 == 0b110 else 3 if byte >> 4 == 0b1110 else 4 if byte >> 3 == 0b11110 else 1
            )
            return count if length > count else 0
    return 0
