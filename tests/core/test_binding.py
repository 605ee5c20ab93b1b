"""The extension module as such: imports, references, garbage, the stack."""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import tracemalloc
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec
import pydantic
import pytest

from kept_classes import if_orjson_lets_classes_die
from ssejet import Decoder, ServerSentEvent, encode
from ssejet._core import Assembler, ItemDecoder

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow


def run(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def passes(script: str) -> None:
    done = run(script)
    assert (done.returncode, done.stderr) == (0, "")


# One of each per process


def test_another_import_gives_the_same_types() -> None:
    passes(
        """
        import importlib, pickle, sys
        import ssejet
        from ssejet import Decoder, ServerSentEvent, encode

        (old,) = Decoder().feed(b"event: a\\ndata: 1\\n\\n")
        core = sys.modules.pop("ssejet._core")
        again = importlib.import_module("ssejet._core")
        assert again is not core
        assert importlib.reload(again) is again
        importlib.reload(ssejet)
        for module in (again, ssejet):
            assert module.ServerSentEvent is ServerSentEvent
            assert module.Decoder is Decoder
        for decoder in (Decoder(), again.Decoder()):
            (new,) = decoder.feed(b"event: a\\ndata: 1\\n\\n")
            assert type(new) is type(old) is ServerSentEvent
            assert isinstance(new, ServerSentEvent) and new == old and hash(new) == hash(old)
            match new:
                case ServerSentEvent("a", "1"):
                    pass
                case _:
                    raise AssertionError(new)
            assert encode(new) == again.encode(old) == b"event: a\\ndata: 1\\n\\n"
            assert new.json() == 1 and pickle.loads(pickle.dumps(new)) == old
        """
    )


def test_an_import_of_everything_again_raises_the_errors_that_are_now_there() -> None:
    passes(
        """
        import sys
        import ssejet

        for name in [name for name in sys.modules if name.partition(".")[0] == "ssejet"]:
            del sys.modules[name]
        old = ssejet
        import ssejet

        assert ssejet is not old and ssejet.ServerSentEvent is old.ServerSentEvent
        try:
            ssejet.Decoder(max_event_size=1).feed(b"data: 12\\n\\n")
        except ssejet.EventTooLargeError:
            pass
        stream = ssejet.StreamMachine()
        assert list(stream.feed(old.encode({"a": 1}))) == [{"a": 1}]
        """
    )


SUBINTERPRETER = """
try:
    import ssejet
except ImportError as error:
    text = str(error)
    assert "in one interpreter" in text and "another process" in text, text
else:
    raise AssertionError("imported")
"""


def test_another_interpreter_is_told_what_to_do() -> None:
    pytest.importorskip("_testcapi")
    passes(
        f"""
        import _testcapi, sys
        import ssejet

        code = "import sys; sys.path[:] = " + repr(sys.path) + {SUBINTERPRETER!r}
        assert _testcapi.run_in_subinterp(code) == 0
        # The first interpreter still works.
        (event,) = ssejet.Decoder().feed(b"data: 1\\n\\n")
        assert type(event) is ssejet.ServerSentEvent and event.json() == 1
        """
    )


def test_an_interpreter_with_a_lock_of_its_own_is_told_what_to_do() -> None:
    pytest.importorskip("concurrent.interpreters", reason="new in 3.14")
    passes(
        f"""
        import sys
        from concurrent import interpreters
        import ssejet

        other = interpreters.create()
        other.exec("import sys; sys.path[:] = " + repr(sys.path) + {SUBINTERPRETER!r})
        other.close()
        (event,) = ssejet.Decoder().feed(b"data: 1\\n\\n")
        assert type(event) is ssejet.ServerSentEvent and event.json() == 1
        """
    )


def test_the_interpreter_that_comes_first_has_the_module() -> None:
    pytest.importorskip("_testcapi")
    passes(
        """
        import _testcapi, sys

        code = "import sys; sys.path[:] = " + repr(sys.path) + '''
        import ssejet
        (event,) = ssejet.Decoder().feed(b"data: [NaN]\\\\n\\\\n")
        assert isinstance(event, ssejet.ServerSentEvent) and len(event.json()) == 1
        '''.replace("\\n        ", "\\n")
        assert _testcapi.run_in_subinterp(code) == 0
        try:
            import ssejet
        except ImportError as error:
            assert "in one interpreter" in str(error)
        else:
            raise AssertionError("imported")
        """
    )


# References


def growth(work: Callable[[], object], times: int = 300) -> tuple[int, int]:
    """How many objects and bytes are left by calling a function so many times, after it has run in."""
    for _ in range(20):
        work()
    gc.collect()
    # Some come and go with the interpreter's caches.
    return min(_growth(work, times) for _ in range(3))


def _growth(work: Callable[[], object], times: int) -> tuple[int, int]:
    gc.disable()
    tracemalloc.start()
    try:
        blocks, traced = sys.getallocatedblocks(), tracemalloc.get_traced_memory()[0]
        for _ in range(times):
            work()
        return sys.getallocatedblocks() - blocks, tracemalloc.get_traced_memory()[0] - traced
    finally:
        tracemalloc.stop()
        gc.enable()


def quietly(work: Callable[[], object]) -> Callable[[], object]:
    def call() -> None:
        with suppress(Exception):
            work()

    return call


class Owner:
    """What refuses everything."""

    def __call__(self, *_: Any) -> Any:
        raise ValueError("no")


class Point(pydantic.BaseModel):
    x: Any = None


class Pair(msgspec.Struct):
    x: Any = None


EVENT = ServerSentEvent(event="e", data='{"a": [1, 2]}', id="1", retry=5)
DICT = Assembler(("dict", ("any",)), [])

USES: dict[str, Callable[[], object]] = {
    "json": EVENT.json,
    "json of NaN": ServerSentEvent(data="[NaN]").json,
    "json of a lone surrogate": ServerSentEvent(data='"\ud800"').json,
    "json of a long integer": ServerSentEvent(data="9" * 40).json,
    "json of no JSON": ServerSentEvent(data="{" * 100).json,
    "json of deep JSON": ServerSentEvent(data="[" * 100_000).json,
    "repr, hash, equality": lambda: (repr(EVENT), hash(EVENT), ServerSentEvent(data="x") == EVENT),
    "reduce": EVENT.__reduce__,
    "replace": lambda: EVENT.__replace__(data="y"),
    "replace with a wrong type": lambda: EVENT.__replace__(data=b"y"),  # type: ignore[arg-type]
    "an event of a wrong retry": lambda: ServerSentEvent(retry=10**30),
    "an event of an unknown field": lambda: ServerSentEvent(x=1),  # type: ignore[call-arg]
    "feed": lambda: Decoder().feed(b"id: 7\nevent: e\nretry: 1\ndata: \xc3\xa4\xff\n\n" * 9),
    "feed of no bytes": lambda: Decoder().feed("x"),  # type: ignore[arg-type]
    "feed of a bytearray": lambda: Decoder().feed(bytearray(b"data: x\n\n")),
    "feed of too much": lambda: Decoder(max_event_size=1).feed(b"data: 12\n\n"),
    "a callback that raises": lambda: Decoder(on_comment=Owner()).feed(b":\ndata: a\n\n"),
    "iter_bytes": lambda: list(Decoder().iter_bytes([b"data: a\n\n", b"data: b\n\n"])),
    "iter_bytes left early": lambda: next(Decoder().iter_bytes([b"data: a\n\ndata: b\n\n"])),
    "a decoder of a huge limit": lambda: Decoder(max_event_size=10**30),
    "a decoder of a negative limit": lambda: Decoder(max_event_size=-(10**30)),
    "encode text": lambda: encode("a\nb", event="e", id="1", retry=3, comment="c"),
    "encode an event": lambda: encode(EVENT),
    "encode a dict": lambda: encode({"a": [1, None, 2.5]}),
    "encode a dict of a lone surrogate": lambda: encode({"a": "\ud800"}),
    "encode what has no JSON": lambda: encode({"a": object()}),
    "encode a model": lambda: encode(Point(x=[1])),
    "encode a Struct": lambda: encode(Pair(x=[1])),
    "encode a wrong retry": lambda: encode("", retry=10**30),
    "encode bytes that are no UTF-8": lambda: encode(b"\xff"),
    "build": lambda: DICT.build('{"a": [1, 2.5, null, true, "x"]}'),
    "build of no JSON": lambda: DICT.build("{"),
    "items": lambda: list(ItemDecoder(DICT, dialect="openai").feed(b'data: {"a": 1}\n\ndata: 1\n\n')),
    "a plan": lambda: Assembler(("list", ("call", len)), [("any",)]),
    "no plan": lambda: Assembler(("list", ("list", 1)), []),
}


@pytest.mark.parametrize("use", USES)
def test_no_use_leaves_anything_behind(use: str) -> None:
    blocks, size = growth(quietly(USES[use]))
    assert blocks < 150
    assert size < 10_000


def value_errors() -> list[ValueError]:
    # Not isinstance(), which reads attributes: Django's lazy settings raise an error then.
    return [each for each in gc.get_objects() if issubclass(type(each), ValueError)]


def test_what_a_slot_drops_is_released_at_once() -> None:
    """An exception that is dropped refers to the data, which would stay with it."""
    data = "[NaN" + " " * 1_000_000 + "]"
    event = ServerSentEvent(data=data)
    references = sys.getrefcount(data)
    others = value_errors()
    for _ in range(1000):
        event.json()
    assert sys.getrefcount(data) == references
    assert len(value_errors()) <= len(others)
    tracemalloc.start()
    try:
        del event, data
        before = tracemalloc.get_traced_memory()[0]
        ServerSentEvent(data="[NaN" + " " * 1_000_000 + "]").json()
        assert tracemalloc.get_traced_memory()[0] - before < 100_000
    finally:
        tracemalloc.stop()


@if_orjson_lets_classes_die
@pytest.mark.parametrize("kind", ["pydantic", "openai", "msgspec", "plain"])
def test_encode_keeps_no_class_alive(kind: str) -> None:
    from openai import BaseModel as OpenAIModel

    def make() -> Any:
        if kind == "msgspec":
            return msgspec.defstruct("Made", [("x", int)])
        if kind == "plain":
            return type("Made", (dict,), {})
        base: type[pydantic.BaseModel] = OpenAIModel if kind == "openai" else pydantic.BaseModel
        names = {"__annotations__": {"x": int}, "__module__": "openai.made" if kind == "openai" else __name__}
        return type("Made", (base,), names)

    def use() -> list[weakref.ref[Any]]:
        classes = [make() for _ in range(3)]
        for cls in classes:
            for _ in range(2):
                assert encode(cls(x=1)) == b'data: {"x":1}\n\n'
                encode({"nested": cls(x=1)})
        return [*map(weakref.ref, classes)]

    gone = use()
    gc.collect()
    assert [cls() for cls in gone] == [None] * 3


# Errors that say nothing about a value


class Interrupted(pydantic.BaseModel):
    x: int = 1

    @pydantic.field_serializer("x")
    def serialize(self, value: int) -> int:
        del value
        raise RAISES.pop() if RAISES else AssertionError("asked again")


RAISES: list[BaseException] = []


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: {"a": value}, lambda value: [value]])
def test_encode_takes_no_interruption_for_a_refusal(
    error: type[BaseException], wrap: Callable[[Any], Any]
) -> None:
    RAISES[:] = [error("stop")]
    with pytest.raises(error):
        encode(wrap(Interrupted()))


def test_building_takes_no_lack_of_memory_for_a_refusal() -> None:
    def exhaust(_: Any) -> Any:
        raise MemoryError

    with pytest.raises(MemoryError):
        Assembler(("call", exhaust), []).build("1")


@pytest.mark.parametrize("digits", [30, 5000])
def test_huge_integers_get_the_documented_error_and_nothing_else(digits: int) -> None:
    passes(
        f"""
        import sys
        from ssejet import Decoder, ServerSentEvent, encode

        huge = 10**{digits}
        assert Decoder(max_event_size=huge).feed(b"data: a\\n\\n")
        for call in (
            lambda: Decoder(max_event_size=-huge),
            lambda: ServerSentEvent(retry=huge),
            lambda: ServerSentEvent(retry=-huge),
            lambda: ServerSentEvent().__replace__(retry=huge),
            lambda: encode("", retry=huge),
            lambda: encode("", retry=-huge),
        ):
            try:
                call()
            except ValueError as error:
                assert "must" in str(error) and ("0000" in str(error) or "bits" in str(error)), error
            else:
                raise AssertionError(call)
        """
    )


# Plans


def itself() -> Any:
    choices: list[Any] = []
    plan = ("tagged", "k", {"x": 0}, choices)
    choices.append(plan)
    return plan


def nested(depth: int) -> Any:
    plan: Any = ("any",)
    for _ in range(depth):
        plan = ("list", plan)
    return plan


def doubled(depth: int) -> Any:
    plan: Any = ("any",)
    for _ in range(depth):
        plan = ("tagged", "k", {"x": 0}, [plan, plan])
    return plan


@pytest.mark.parametrize(
    ("plan", "definitions", "message"),
    [
        pytest.param(itself(), [], "refers to itself", id="a plan in itself"),
        pytest.param(nested(100_000), [], "nested deeper", id="deep"),
        pytest.param(doubled(60), [], "parts", id="small to write, large to read"),
        pytest.param(("any",), [nested(100_000)], "nested deeper", id="a deep definition"),
        pytest.param(("definition", 0), [("definition", 0)], "refers to itself", id="a definition of itself"),
        pytest.param(
            ("any",),
            [("nullable", ("definition", 1)), ("by kind", {"null": ("definition", 0)})],
            "refers to itself",
            id="definitions of each other",
        ),
        pytest.param(
            ("definition", 0),
            [("tagged", "k", {"x": 0}, [("definition", 0)])],
            "refers to itself",
            id="a choice of itself",
        ),
        pytest.param(
            ("definition", 0),
            [*(("definition", place) for place in range(1, 10_000)), ("any",)],
            "in a row",
            id="a long chain of definitions",
        ),
    ],
)
def test_plans_without_an_end_are_refused(plan: Any, definitions: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Assembler(plan, definitions)


def test_a_definition_may_refer_to_itself_by_way_of_a_value() -> None:
    tree = Assembler(("definition", 0), [("list", ("definition", 0))])
    assert tree.build("[[], [[]]]") == [[], [[]]]
    assert tree.build("[" * 10_000 + "]" * 10_000) is None


# Garbage


def test_a_cycle_through_an_assembler_and_an_item_decoder_is_collected() -> None:
    class Builds:
        def __call__(self, value: Any) -> Any:
            return value

    class Makes:
        x: Any

        def default(self) -> Any:
            return self

    builds, makes = Builds(), Makes()
    builds.assembler = Assembler(("list", ("call", builds)), [])  # type: ignore[attr-defined]
    model: Any = pydantic.create_model("Model", x=(Any, None))
    plan = ("model", model, [("x", "x", ("any",), ("factory", makes.default))], ("any",), False)
    makes.x = ItemDecoder(Assembler(("any",), [plan]), dialect="openai")
    model.decoder = ItemDecoder(Assembler(plan, []), dialect="openai")
    gone = [weakref.ref(each) for each in (builds, makes, model)]
    del builds, makes, model, plan
    gc.collect()
    assert [each() for each in gone] == [None] * 3


# Small stacks


def on_a_small_stack(work: str, *, warm_up: bool = True) -> None:
    """Run code on a thread with a stack of 64 KiB, in a process of its own.

    Args:
        work: the code.
        warm_up: use JSON on the main thread first. What is imported when it is needed takes more of the stack
            than its use.
    """
    passes(
        f"""
        import threading
        import msgspec, pydantic
        import ssejet
        from ssejet import ServerSentEvent, encode
        from ssejet._core import Assembler, ItemDecoder
        from typing import Any

        if {warm_up}:
            ServerSentEvent(data="1").json(), ServerSentEvent(data="[NaN]").json()
            encode([1]), encode({{"a": "\\ud800"}})
        class Model(pydantic.BaseModel):
            a: Any = None
        class Struct(msgspec.Struct):
            a: Any = None

        # CPython 3.13 needs the stack to free what is nested. So the main thread frees it.
        kept = []

        def lists(depth, value=1):
            for _ in range(depth):
                value = [value]
            kept.append(value)
            return value

        def raises(kind, call):
            try:
                call()
            except kind as error:
                return error
            raise AssertionError((kind, call))

        DEPTHS = (70, 100, 150, 300, 900, 5000, 100_000)
        failures = []

        def work():
            try:
{textwrap.indent(textwrap.dedent(work), " " * 16)}
            except BaseException as error:
                failures.append(error)

        threading.stack_size(64 * 1024)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if failures:
            raise failures[0]
        """.replace("\n" + " " * 8, "\n")
    )


def test_json_that_is_too_deep_for_a_small_stack_is_an_error() -> None:
    on_a_small_stack(
        """
        for text in ("[[[{}]]]", '{"a": {"b": [1, {"c": [NaN]}]}}', "[" * 60 + "]" * 60):
            ServerSentEvent(data=text).json()
        for depth in DEPTHS[1:]:
            nan = "[" * depth + "NaN" + "]" * depth
            for text in ("[" * depth, '{"a":' * depth, nan, "[" * depth + '"\\ud800'):
                error = raises(RecursionError, ServerSentEvent(data=text).json)
                assert "stack" in str(error)
        # Brackets in strings do not nest.
        assert ServerSentEvent(data='["' + "[" * 100_000 + '"]').json() == ["[" * 100_000]
        assert len(ServerSentEvent(data="[" + "[]," * 10_000 + "[]]").json()) == 10_001
        """
    )


def test_defaults_of_items_too_deep_for_a_small_stack_are_not_asked_for() -> None:
    on_a_small_stack(
        """
        fields = [("a", "a", ("definition", 0), ("factory", lambda: None))]
        assembler = Assembler(("definition", 0), [("model", Model, fields, ("any",), False)])
        built = []
        for depth in range(1, 150):
            value = assembler.build('{"a":' * depth + "{}" + "}" * depth)
            kept.append(value)
            built.append(value is not None)
        assert built[3] and not built[-1]
        """
    )


@pytest.mark.parametrize(
    "first",
    [
        "ServerSentEvent(data='1').json()",
        "ServerSentEvent(data='[NaN]').json()",
        "encode({'a': 1})",
        "encode([1])",
        "list(ssejet.StreamMachine(cast_to=None).feed(b'data: 1\\n\\n'))",
    ],
)
def test_what_the_first_use_imports_fits_on_any_stack(first: str) -> None:
    on_a_small_stack(first, warm_up=False)


def test_items_too_deep_for_a_small_stack_are_left_to_the_sdk() -> None:
    on_a_small_stack(
        """
        plans = [("any",), ("dict", ("any",)), ("tagged", "zz", {"x": 0}, [("any",)])]
        plans.append(("model", Model, [("a", "a", ("any",), ("required",))], ("any",), False))
        for plan in plans:
            for depth in DEPTHS:
                text = '{"a":' * depth + "1" + "}" * depth
                decoder = ItemDecoder(Assembler(plan, []), dialect="openai")
                (item,) = decoder.feed(b"data: " + text.encode() + b"\\n\\n")
                if depth > 200:
                    assert type(item) is ServerSentEvent
        """
    )


@pytest.mark.parametrize("value", ["lists(depth)", "{'a': lists(depth)}", "[lists(depth), '\\ud800']"])
def test_values_too_deep_for_a_small_stack_are_not_encoded(value: str) -> None:
    on_a_small_stack(
        f"""
        for depth in (1, 10, 40):
            encode({value})
        for depth in DEPTHS[1:]:
            assert "stack" in str(raises(TypeError, lambda: encode({value})))
        """.replace("\n" + " " * 8, "\n")
    )


@pytest.mark.parametrize("model", ["Model", "Struct"])
def test_models_too_deep_for_a_small_stack_are_not_encoded(model: str) -> None:
    on_a_small_stack(
        f"""
        for depth in (1, 5, 10):
            encode({model}(a=lists(depth)))
            encode([{model}(a=lists(depth))])
        for depth in DEPTHS:
            if depth > 70 or "{model}" == "Model":
                assert "stack" in str(raises(TypeError, lambda: encode({model}(a=lists(depth)))))
        """.replace("\n" + " " * 8, "\n")
    )


@pytest.mark.parametrize("cast_to", ["None", "Any", "dict[str, Any]", "Struct", "Model"])
def test_typed_items_too_deep_for_a_small_stack_are_errors_of_the_stream(cast_to: str) -> None:
    on_a_small_stack(
        f"""
        def item(depth):
            text = '{{"a":' * depth + "1" + "}}" * depth
            return next(ssejet.StreamMachine(cast_to={cast_to}).feed(b"data: " + text.encode() + b"\\n\\n"))

        for depth in (1, 10, 30):
            item(depth)
        for depth in DEPTHS[1:]:
            assert "nested too deep" in str(raises(ssejet.InvalidJSONError, lambda: item(depth)))
        """.replace("\n" + " " * 8, "\n")
    )


def test_a_value_that_holds_itself_is_a_type_error_on_any_stack() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(TypeError, match="cannot send list as JSON"):
        encode(loop)
    on_a_small_stack(
        """
        loop = []
        loop.append(loop)
        raises(TypeError, lambda: encode(loop))
        """
    )
