"""What a request that writes does to a stream: the rules, without I/O."""

from __future__ import annotations

from secrets import token_hex
from typing import TYPE_CHECKING, NamedTuple

from ssejet._json import dumps, loads
from ssejet.hub._engine import Change, Lifetime
from ssejet.hub._entries import Draft, Kind, new_incarnation
from ssejet.hub.durable_streams._content_type import ContentType
from ssejet.hub.durable_streams._exchange import NO_STORE, Answer, refuse
from ssejet.hub.durable_streams._headers import is_true, parse_expiry, parse_number, parse_text, parse_ttl
from ssejet.hub.durable_streams._offset import Offset

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ssejet.hub._engine import Record
    from ssejet.hub.durable_streams._exchange import Request

__all__ = ["CONFIG", "Append", "Config", "Create", "StreamState", "Writes", "field_names"]

CONFIG = "config"
"""The field with what a stream was made with."""

_SEQUENCE = "seq"
_CLOSED_BY = "closed-by"
_PRODUCERS = "producers"

# How many producers with an id may write one stream. Each one is remembered, so that nothing is doubled.
_MAX_PRODUCERS = 10_000

_FORKS = ("stream-forked-from", "stream-fork-offset", "stream-fork-sub-offset")


class Config(NamedTuple):
    """What a stream is made with.

    Attributes:
        content_type: its content type.
        ttl: the seconds after its last use after which it is removed; None for no limit.
        expires_at: when it is removed, as the client wrote it; None for never.
    """

    content_type: ContentType
    ttl: int | None
    expires_at: str | None

    @classmethod
    def load(cls, text: str) -> Config:
        """Read what ``dump`` has written."""
        content_type, ttl, expires_at = loads(text)
        return cls(ContentType.parse(content_type), ttl, expires_at)

    def dump(self) -> str:
        """Write this for a field of the log."""
        return dumps([self.content_type.text, self.ttl, self.expires_at]).decode()

    @property
    def lifetime(self) -> Lifetime:
        """How long the log is kept."""
        return Lifetime(self.ttl, None if self.expires_at is None else parse_expiry(self.expires_at))

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers that tell clients how long the stream is kept."""
        headers = []
        if self.ttl is not None:
            headers.append(("stream-ttl", str(self.ttl)))
        if self.expires_at is not None:
            headers.append(("stream-expires-at", self.expires_at))
        return headers

    def matches(self, other: Config) -> bool:
        """Whether both mean the same."""
        return self.content_type.matches(other.content_type) and self.lifetime == other.lifetime


class Producer(NamedTuple):
    """The place of a request in what one producer sends.

    Attributes:
        id: names the producer.
        epoch: counts its restarts.
        seq: counts its requests since then.
    """

    id: str
    epoch: int
    seq: int

    @property
    def text(self) -> str:
        return dumps([*self]).decode()


class Create(NamedTuple):
    """A request to make a stream."""

    config: Config
    body: bytes
    closes: bool
    url: str

    @classmethod
    def parse(cls, request: Request, *, default_ttl: int | None) -> Create:
        """Read a request.

        Raises:
            RequestError: it is refused, whatever the stream is.
        """
        headers = request.headers
        if any(name in headers for name in _FORKS):
            refuse(501, "no-forks", "this server does not fork streams")
        ttl, expires_at = headers.get("stream-ttl"), headers.get("stream-expires-at")
        if ttl is not None and expires_at is not None:
            refuse(400, "two-lifetimes", "send Stream-TTL or Stream-Expires-At, not both")
        if expires_at is not None:
            parse_expiry(expires_at)
        seconds = parse_ttl(ttl) if ttl is not None else default_ttl if expires_at is None else None
        content_type = ContentType.parse(headers.get("content-type") or "application/octet-stream")
        closes = is_true(headers, "stream-closed")
        return cls(Config(content_type, seconds, expires_at), request.body, closes, request.url)

    @property
    def size(self) -> int:
        """The number of bytes to append."""
        return len(self.body)

    @property
    def producer_id(self) -> None:
        """The producer whose state this needs: none."""
        return None


class Append(NamedTuple):
    """A request to append to a stream, to close it, or both."""

    content_type: ContentType | None
    body: bytes
    closes: bool
    seq: str | None
    producer: Producer | None

    @classmethod
    def parse(cls, request: Request) -> Append:
        """Read a request.

        Raises:
            RequestError: it is refused, whatever the stream is.
        """
        headers, body = request.headers, request.body
        closes = is_true(headers, "stream-closed")
        if not body and not closes:
            refuse(400, "empty-body", "the body is empty: send bytes to append, or Stream-Closed: true")
        content_type = None
        if body:
            if not headers.get("content-type"):
                refuse(400, "no-content-type", "send the Content-Type of the stream")
            content_type = ContentType.parse(headers["content-type"])
        seq = parse_text(headers, "stream-seq") if "stream-seq" in headers else None
        names = ("producer-id", "producer-epoch", "producer-seq")
        present = [name for name in names if name in headers]
        producer = None
        if present:
            if len(present) < len(names):
                refuse(400, "producer-headers", "send all of Producer-Id, Producer-Epoch and Producer-Seq")
            producer = Producer(
                parse_text(headers, "producer-id"),
                parse_number(headers, "producer-epoch"),
                parse_number(headers, "producer-seq"),
            )
        return cls(content_type, body, closes, seq, producer)

    @property
    def size(self) -> int:
        """The number of bytes to append."""
        return len(self.body)

    @property
    def producer_id(self) -> str | None:
        """The producer whose state this needs."""
        return None if self.producer is None else self.producer.id


class StreamState:
    """What the rules need to know of a stream.

    Attributes:
        revision: the revision of its log.
        log: the name of its log.
        config: what it was made with.
        incarnation: the second part of new offsets.
        position: the position of the last entry.
        is_closed: whether it is closed. Then the last entry is the end, which is no message.
        seq: the last sequence number of the application.
        closed_by: the producer's request that closed it.
        producer_count: how many producers have written it.
        producers: the epoch and the last number of each producer that was looked for; None if it is new.
    """

    __slots__ = (
        "closed_by",
        "config",
        "incarnation",
        "is_closed",
        "log",
        "position",
        "producer_count",
        "producers",
        "revision",
        "seq",
    )

    def __init__(self, config: Config, incarnation: str) -> None:
        self.revision = ""
        self.log = self.incarnation = incarnation
        self.config = config
        self.position = 0
        self.is_closed = False
        self.seq = ""
        self.closed_by = ""
        self.producer_count = 0
        self.producers: dict[str, tuple[int, int] | None] = {}

    @classmethod
    def of(cls, record: Record, producer_ids: Iterable[str]) -> StreamState | None:
        """Read the state; None if there is no stream."""
        fields = record.fields
        if CONFIG not in fields:
            return None
        page = record.page
        state = cls(Config.load(fields[CONFIG]), page.incarnation)
        state.revision = record.revision
        state.log = page.log
        state.position = page.last
        state.is_closed = page.status != "live"
        state.seq = fields.get(_SEQUENCE, "")
        state.closed_by = fields.get(_CLOSED_BY, "")
        state.producer_count = int(fields.get(_PRODUCERS, "0"))
        for id in producer_ids:
            found = fields.get(_producer_field(id))
            state.producers[id] = None if found is None else tuple(loads(found))
        return state

    def copy(self) -> StreamState:
        """Make a copy to try changes on."""
        other = StreamState.__new__(StreamState)
        for name in StreamState.__slots__:
            setattr(other, name, getattr(self, name))
        other.producers = dict(self.producers)
        return other

    @property
    def offset(self) -> Offset:
        """The end of the stream."""
        return Offset(self.position - self.is_closed, self.incarnation)

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers of all answers about the stream."""
        headers = [("stream-next-offset", str(self.offset)), NO_STORE]
        if self.is_closed:
            headers.append(("stream-closed", "true"))
        return headers


def field_names(producer_ids: Iterable[str]) -> list[str]:
    """The fields that ``StreamState.of`` needs."""
    return [CONFIG, _SEQUENCE, _CLOSED_BY, _PRODUCERS, *map(_producer_field, producer_ids)]


def _producer_field(id: str) -> str:
    return f"producer:{id}"


class Writes:
    """Some requests that change a stream together, in one step.

    ::

        writes = Writes(state)
        answers = [writes.run(operation) for operation in operations]
        change = writes.change()  # what the answers are worth depends on it being made

    Args:
        state: the stream; None if there is none.
        lost_from: the position of the last entry that the log is known to have had, if it has lost entries.

    Attributes:
        state: the stream after these requests.
    """

    def __init__(self, state: StreamState | None, *, lost_from: int | None = None) -> None:
        self.state = None if state is None else state.copy()
        self._drafts: list[Draft] = []
        self._fields: dict[str, str] = {}
        self._expected = "" if state is None else state.revision
        self._position = 0 if state is None else state.position
        if lost_from is not None and self.state is not None and not self.state.is_closed:
            # Clients have offsets of entries that are gone, so new entries get another incarnation.
            self.state.incarnation = new_incarnation()
            self._position = max(self._position, lost_from)
            self.state.position = self._position
            self._add(Draft(Kind.LOST, self.state.incarnation.encode()))

    def run(self, operation: Create | Append) -> Answer:
        """Do what a request asks for, and return its answer.

        Raises:
            RequestError: the request is refused. Then nothing is changed.
        """
        return self._create(operation) if isinstance(operation, Create) else self._append(operation)

    def change(self) -> Change | None:
        """The change that the requests make; None if they change nothing."""
        if self.state is None or not (self._drafts or self._fields):
            return None
        state = self.state
        state.revision = token_hex(8)
        return Change(
            self._expected,
            state.revision,
            state.incarnation,
            self._position,
            self._drafts,
            self._fields,
            "finished" if state.is_closed else None,
            state.config.lifetime,
        )

    def _add(self, draft: Draft) -> None:
        assert self.state is not None
        self._drafts.append(draft)
        self.state.position += 1

    def _extend(self, messages: Sequence[bytes], *, closes: bool) -> None:
        assert self.state is not None
        for message in messages:
            self._add(Draft(Kind.ITEM, message))
        if closes:
            self._add(Draft(Kind.END, b""))
            self.state.is_closed = True

    def _create(self, create: Create) -> Answer:
        state = self.state
        config = create.config
        if state is not None:
            if not config.matches(state.config):
                refuse(
                    409,
                    "stream-exists",
                    "the stream exists with another content type or lifetime",
                    state.headers,
                )
            if create.closes != state.is_closed:
                is_open = "closed" if state.is_closed else "open"
                refuse(409, "stream-exists", f"the stream exists, and is {is_open}", state.headers)
            return Answer(200, [("content-type", state.config.content_type.text), *state.headers])
        messages = config.content_type.split(create.body) if create.body else []
        state = self.state = StreamState(config, new_incarnation())
        self._fields[CONFIG] = config.dump()
        self._extend(messages, closes=create.closes)
        headers = [("location", create.url), ("content-type", config.content_type.text), *state.headers]
        return Answer(201, headers)

    def _append(self, append: Append) -> Answer:
        state, producer = self.state, append.producer
        if state is None:
            refuse(404, "no-stream", "there is no such stream: make it with PUT")
        if state.is_closed:
            return self._append_to_closed(state, append)
        messages: Sequence[bytes] = ()
        if append.content_type is not None:
            content_type = state.config.content_type
            if not append.content_type.matches(content_type):
                refuse(409, "content-type-mismatch", f"the content type of the stream is {content_type.text}")
            messages = content_type.split(append.body)
            if not messages:
                refuse(400, "empty-array", "the array is empty: send at least one message")
        if producer is not None:
            place = self._place(state, producer)
            if place is not None and producer.seq <= place[1] and producer.epoch == place[0]:
                return Answer(204, [*_echo(producer.epoch, place[1]), *state.headers])
        if append.seq is not None:
            if append.seq <= state.seq:
                refuse(409, "sequence-regression", f"Stream-Seq must be greater than {state.seq!r}")
            state.seq = self._fields[_SEQUENCE] = append.seq
        if producer is not None:
            self._take_place(state, producer, closes=append.closes)
        self._extend(messages, closes=append.closes)
        if producer is None:
            return Answer(204, state.headers)
        return Answer(200 if messages else 204, [*_echo(producer.epoch, producer.seq), *state.headers])

    def _append_to_closed(self, state: StreamState, append: Append) -> Answer:
        producer = append.producer
        if producer is not None and state.closed_by == producer.text:
            return Answer(204, [*_echo(producer.epoch, producer.seq), *state.headers])
        if producer is None and not append.body:
            return Answer(204, state.headers)
        return refuse(409, "stream-closed", "the stream is closed: nothing can be appended", state.headers)

    def _place(self, state: StreamState, producer: Producer) -> tuple[int, int] | None:
        """Check the place of a request in what its producer has sent, and return the last place."""
        place = state.producers[producer.id]
        if place is None:
            expected = 0
            if state.producer_count >= _MAX_PRODUCERS:
                refuse(429, "too-many-producers", f"a stream has at most {_MAX_PRODUCERS} producers")
        elif producer.epoch < place[0]:
            refuse(
                403,
                "stale-epoch",
                f"the producer was started again, with the epoch {place[0]}",
                [("producer-epoch", str(place[0]))],
            )
        elif producer.epoch > place[0]:
            if producer.seq:
                refuse(400, "invalid-epoch", "the first Producer-Seq of an epoch must be 0")
            expected = 0
        else:
            expected = place[1] + 1
        if producer.seq > expected:
            refuse(
                409,
                "sequence-gap",
                f"the next Producer-Seq must be {expected}",
                [("producer-expected-seq", str(expected)), ("producer-received-seq", str(producer.seq))],
            )
        return place

    def _take_place(self, state: StreamState, producer: Producer, *, closes: bool) -> None:
        if state.producers[producer.id] is None:
            state.producer_count += 1
            self._fields[_PRODUCERS] = str(state.producer_count)
        state.producers[producer.id] = (producer.epoch, producer.seq)
        self._fields[_producer_field(producer.id)] = dumps([producer.epoch, producer.seq]).decode()
        if closes:
            state.closed_by = self._fields[_CLOSED_BY] = producer.text


def _echo(epoch: int, seq: int) -> list[tuple[str, str]]:
    return [("producer-epoch", str(epoch)), ("producer-seq", str(seq))]
