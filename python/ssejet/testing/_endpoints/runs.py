"""OpenAI's runs and their steps, with the streams of runs.

A test says how a run goes, as the answer of ``create``, ``create_and_run`` or ``submit_tool_outputs``:

* a text: the assistant's message;
* fields of a run. ``required_action``, ``last_error`` and ``incomplete_details`` set the status. Two more
  fields describe what the run does: ``messages``, a list of texts or messages, and ``steps``, a list of run
  steps with tool calls.

A stream has all the events of the run. A request without a stream gets the run as it is at its beginning,
``queued``, and the mock keeps it as it is at its end. If the fields have a ``status``, both have this status.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ssejet.emit._item_encoder import DONE
from ssejet.testing._answers import MockError
from ssejet.testing._endpoints.assistants import (
    ASSISTANT,
    MESSAGE,
    THREAD,
    add_message,
    create_thread,
    make_message,
)
from ssejet.testing._endpoints.base import (
    Asked,
    Endpoint,
    Event,
    RefusedError,
    count_tokens,
    new_id,
    openai_error,
    pieces,
    text_of_json,
)
from ssejet.testing._endpoints.objects import Kind, List, ObjectEndpoint, Retrieve, Update, not_found, now

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["ENDPOINTS", "RUN", "STEP"]

RUN = Kind(
    "thread.run",
    store="beta.threads.runs",
    id_prefix="run_",
    parents=[THREAD],
    defaults={
        "assistant_id": "",
        "status": "queued",
        "model": "mock",
        "instructions": "",
        "tools": [],
        "metadata": {},
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "response_format": "auto",
        "temperature": 1.0,
        "top_p": 1.0,
        "truncation_strategy": {"type": "auto", "last_messages": None},
        "max_completion_tokens": None,
        "max_prompt_tokens": None,
        "reasoning_effort": None,
        "required_action": None,
        "last_error": None,
        "incomplete_details": None,
        "usage": None,
        "started_at": None,
        "completed_at": None,
        "cancelled_at": None,
        "expires_at": None,
        "failed_at": None,
    },
)
STEP = Kind(
    "thread.run.step",
    store="beta.threads.runs.steps",
    id_prefix="step_",
    parents=[THREAD, RUN],
    defaults={
        "assistant_id": "",
        "type": "message_creation",
        "status": "in_progress",
        "step_details": {},
        "metadata": {},
        "usage": None,
        "last_error": None,
        "completed_at": None,
        "cancelled_at": None,
        "expired_at": None,
        "failed_at": None,
    },
)

_INHERITED = ("model", "instructions", "tools", "temperature", "top_p", "response_format", "reasoning_effort")
_ENDS = ("completed", "incomplete", "failed", "cancelled", "expired")
# The time that a run, a step or a message has when it ends with a status.
_RUN_TIMES = {"completed": "completed_at", "failed": "failed_at", "cancelled": "cancelled_at"}
_STEP_TIMES = _RUN_TIMES | {"expired": "expired_at"}
# Fields that a run has only at its end, and the statuses that some of them mean.
_STATUS_OF_FIELD = {
    "required_action": "requires_action",
    "last_error": "failed",
    "incomplete_details": "incomplete",
}
_FINAL_FIELDS = (*_STATUS_OF_FIELD, *_RUN_TIMES.values(), "usage")
# Why the last message of a run that ends early is incomplete.
_WHY_INCOMPLETE = {
    "incomplete": "max_tokens",
    "failed": "run_failed",
    "cancelled": "run_cancelled",
    "expired": "run_expired",
}


class RunEndpoint(ObjectEndpoint):
    """An endpoint whose answer is a run, or the events of the run."""

    done = DONE
    names_events = True

    def answer(self, given: str | bytes | dict[str, Any] | None, asked: Asked) -> Any:
        """The run, with its events."""
        if isinstance(given, str):
            given = {"messages": [given]}
        return super().answer(given, asked)

    def events(self, answer: Any, asked: Asked) -> Iterable[Any]:
        """The events of the run."""
        return [Event(name, data) for name, data in answer.events]

    def stream_error(self, error: MockError, number: int) -> Any:
        """An event of type ``error``."""
        return Event("error", openai_error(error))


class CreateRun(RunEndpoint):
    """Runs an assistant on a thread."""

    creates = True

    def act(self, given: dict[str, Any] | None, asked: Asked) -> Any:
        """Keep the run, its steps and its messages."""
        thread = THREAD.require(asked)
        return _run(thread["id"], given, asked)


class CreateThreadAndRun(RunEndpoint):
    """Runs an assistant on a new thread."""

    creates = True

    def act(self, given: dict[str, Any] | None, asked: Asked) -> Any:
        """Keep the thread and the run, with its steps and messages."""
        _assistant(asked)
        thread = create_thread({}, replace(asked, body=asked.body.get("thread") or {}))
        played = _run(thread["id"], given, asked)
        played.events.insert(0, ("thread.created", thread))
        return played


class SubmitToolOutputs(RunEndpoint):
    """Goes on with a run that waits for the outputs of its tools."""

    def act(self, given: dict[str, Any] | None, asked: Asked) -> Any:
        """Keep the outputs, and what the run does then."""
        run = self.kind.require(asked)
        outputs = {
            each.get("tool_call_id"): each.get("output") for each in asked.body.get("tool_outputs", [])
        }
        _check_outputs(run, outputs)
        play = _Play(run | {"status": "queued", "required_action": None}, asked)
        play.finish_tool_calls(outputs)
        return play.play(given)


class CancelRun(ObjectEndpoint):
    """Cancels a run. The answer has the status ``cancelling``, and the mock keeps ``cancelled``."""

    def act(self, given: dict[str, Any] | None, asked: Asked) -> Any:
        """Keep the cancelled run."""
        run = self.kind.require(asked)
        self.kind.check(given or {})
        if run["status"] in _ENDS:
            message = f"Cannot cancel run with status '{run['status']}'."
            raise RefusedError(MockError(message, status=400))
        self.kind.keep(run | {"status": "cancelled", "cancelled_at": now()} | (given or {}), asked)
        return run | {"status": "cancelling"} | (given or {})


class Played(dict[str, Any]):
    """A run, and its events."""

    def __init__(self, run: dict[str, Any], events: list[tuple[str, dict[str, Any]]]) -> None:
        super().__init__(run)
        self.events = events


class _Play:
    """Makes the events of a run, and keeps the steps and messages that it makes."""

    def __init__(self, run: dict[str, Any], asked: Asked) -> None:
        self._asked = replace(asked, path=asked.path | {"thread_id": run["thread_id"], "run_id": run["id"]})
        self._run = run
        self._events: list[tuple[str, dict[str, Any]]] = []
        self._tokens = 0

    def emit(self, name: str, obj: dict[str, Any]) -> None:
        """Add an event with the object as it is now."""
        self._events.append((f"{obj['object']}.{name}", copy.deepcopy(obj)))

    def play(self, given: dict[str, Any] | None) -> Played:
        """Do what the test says, or nothing, and keep the run. The answer is the run."""
        fields = dict(given or {})
        messages, steps = fields.pop("messages", []), fields.pop("steps", [])
        RUN.check(fields)
        if fields.get("required_action"):
            fields["required_action"] = _complete_action(fields["required_action"])
        status = fields.pop("status", None)
        end = status or _end_of(fields, does_something=bool(messages or steps) or self._asked.streams)
        final = {name: fields.pop(name) for name in _FINAL_FIELDS if name in fields}
        self._run |= fields
        self.emit("queued", self._run)
        at_beginning = copy.deepcopy(self._run)
        if end != "queued":
            self._run |= {"status": "in_progress", "started_at": now(), "expires_at": now() + 600}
            self.emit("in_progress", self._run)
            for step in steps:
                self._call_tools(step)
            for place, message in enumerate(messages):
                self._say(message, end if place == len(messages) - 1 else "completed")
        self._end(end, final)
        RUN.keep(self._run, self._asked)
        return Played(at_beginning if status is None else self._run, self._events)

    def finish_tool_calls(self, outputs: dict[str, Any]) -> None:
        """Complete the step that waits for the outputs of tools."""
        waiting = {"run_id": self._run["id"], "type": "tool_calls", "status": "in_progress"}
        for step in STEP.store(self._asked).page(waiting).rows:
            for call in step["step_details"]["tool_calls"]:
                if call["id"] in outputs:
                    call["function"]["output"] = outputs[call["id"]]
            self._finish_step(step, "completed")

    def _end(self, status: str, final: dict[str, Any]) -> None:
        self._run |= {"status": status} | final
        if status == "requires_action" and self._run["required_action"]:
            calls = self._run["required_action"]["submit_tool_outputs"]["tool_calls"]
            functions = [call | {"function": call["function"] | {"output": None}} for call in calls]
            self._call_tools({"tool_calls": functions}, status="in_progress")
        if status == "failed" and self._run["last_error"] is None:
            self._run["last_error"] = {"code": "server_error", "message": "The run failed."}
        if status == "incomplete" and self._run["incomplete_details"] is None:
            self._run["incomplete_details"] = {"reason": "max_completion_tokens"}
        if status in _ENDS:
            self._run["expires_at"] = None
            if self._run["usage"] is None:
                self._run["usage"] = self._usage()
        if status in _RUN_TIMES and self._run[_RUN_TIMES[status]] is None:
            self._run[_RUN_TIMES[status]] = now()
        if status == "cancelled":
            self.emit("cancelling", self._run | {"status": "cancelling", "cancelled_at": None})
        if status not in ("queued", "in_progress"):
            self.emit(status, self._run)

    def _say(self, said: Any, end: str) -> None:
        """The assistant writes a message."""
        fields = {"content": said} if isinstance(said, str) else said
        mine = {"role": "assistant", "assistant_id": self._run["assistant_id"], "run_id": self._run["id"]}
        message = make_message(mine | fields, self._run["thread_id"], self._asked)
        if "status" not in fields and end in _WHY_INCOMPLETE:
            message |= {"status": "incomplete", "incomplete_details": {"reason": _WHY_INCOMPLETE[end]}}
            message |= {"completed_at": None, "incomplete_at": now()}
        details = {"type": "message_creation", "message_creation": {"message_id": message["id"]}}
        step = self._begin_step({"type": "message_creation", "step_details": details})
        empty: dict[str, Any] = {"status": "in_progress", "content": [], "completed_at": None}
        empty |= {"incomplete_at": None, "incomplete_details": None}
        self.emit("created", message | empty)
        self.emit("in_progress", message | empty)
        for delta in _content_deltas(message["content"]):
            self._delta(message, {"content": [delta]})
        self._tokens += count_tokens([_texts_of(message)])
        self.emit(message["status"], MESSAGE.keep(message, self._asked))
        self._finish_step(step, end if end in _STEP_TIMES else "completed")

    def _call_tools(self, fields: dict[str, Any], status: str = "completed") -> None:
        """The assistant calls tools, in a step."""
        fields = dict(fields)
        details = fields.pop("step_details", {}) | {"type": "tool_calls"}
        calls = fields.pop("tool_calls", details.get("tool_calls", []))
        calls = [_complete_tool_call(call) for call in calls]
        begun = {"type": "tool_calls", "step_details": details | {"tool_calls": []}}
        step = self._begin_step(begun | fields)
        for index, call in enumerate(calls):
            for part in _tool_call_deltas(call):
                tools = [{"index": index, "type": call["type"]} | part]
                self._delta(step, {"step_details": {"type": "tool_calls", "tool_calls": tools}})
        step["step_details"]["tool_calls"] = calls
        if status == "completed":
            self._finish_step(step, status)
        else:
            STEP.keep(step, self._asked)

    def _begin_step(self, fields: dict[str, Any]) -> dict[str, Any]:
        mine = {"assistant_id": self._run["assistant_id"]}
        step = STEP.make(mine | fields, self._asked)
        self.emit("created", step)
        self.emit("in_progress", step)
        return step

    def _finish_step(self, step: dict[str, Any], status: str) -> None:
        step |= {"status": status, _STEP_TIMES[status]: now()}
        if status == "failed" and step["last_error"] is None:
            step["last_error"] = {"code": "server_error", "message": "The run failed."}
        self.emit(status, STEP.keep(step, self._asked))

    def _delta(self, obj: dict[str, Any], delta: dict[str, Any]) -> None:
        self._events.append(
            (
                f"{obj['object']}.delta",
                {"id": obj["id"], "object": f"{obj['object']}.delta", "delta": delta},
            )
        )

    def _usage(self) -> dict[str, int]:
        earlier = MESSAGE.store(self._asked).page({"thread_id": self._run["thread_id"]}, 1000).rows
        texts = [_texts_of(each) for each in earlier if each["run_id"] != self._run["id"]]
        prompt = count_tokens([self._run["instructions"], *texts])
        return {
            "prompt_tokens": prompt,
            "completion_tokens": self._tokens,
            "total_tokens": prompt + self._tokens,
        }


def _run(thread_id: str, given: dict[str, Any] | None, asked: Asked) -> Played:
    assistant = _assistant(asked)
    inherited = {name: assistant[name] for name in _INHERITED if assistant.get(name) is not None}
    for message in asked.body.get("additional_messages") or []:
        add_message(MESSAGE.known(message), thread_id, asked)
    fields = inherited | RUN.known(asked.body) | {"thread_id": thread_id}
    if asked.body.get("additional_instructions"):
        texts = [fields.get("instructions"), asked.body["additional_instructions"]]
        fields["instructions"] = " ".join(filter(None, texts))
    run = RUN.make(fields, asked)
    play = _Play(run, asked)
    play.emit("created", run)
    return play.play(given)


def _assistant(asked: Asked) -> dict[str, Any]:
    id = asked.body.get("assistant_id")
    assistant = ASSISTANT.store(asked).fields(id)
    if assistant is None:
        raise not_found("assistant", id)
    return assistant


def _check_outputs(run: dict[str, Any], outputs: dict[str, Any]) -> None:
    if run["status"] in _ENDS:
        message = f'Runs in status "{run["status"]}" do not accept tool outputs.'
        raise RefusedError(MockError(message, status=400))
    action = run.get("required_action") or {}
    expected = [call["id"] for call in action.get("submit_tool_outputs", {}).get("tool_calls", [])]
    if expected and sorted(expected) != sorted(outputs):
        message = f"Expected tool outputs for call_ids {expected}, got {list(outputs)}"
        raise RefusedError(MockError(message, status=400))


def _end_of(fields: dict[str, Any], *, does_something: bool) -> str:
    """The status at the end that fits the fields."""
    for name, status in _STATUS_OF_FIELD.items():
        if fields.get(name):
            return status
    return "completed" if does_something else "queued"


def _complete_action(action: dict[str, Any]) -> dict[str, Any]:
    """What a run requires, with all fields of its tool calls."""
    submit = action.get("submit_tool_outputs") or {}
    calls = [_complete_tool_call(call) for call in submit.get("tool_calls", [])]
    return {"type": "submit_tool_outputs"} | action | {"submit_tool_outputs": submit | {"tool_calls": calls}}


def _complete_tool_call(call: dict[str, Any]) -> dict[str, Any]:
    """A tool call with an id, a type, and its arguments as text."""
    kind = next((each for each in ("code_interpreter", "file_search") if each in call), "function")
    call = {"id": new_id("call_"), "type": kind} | call
    if "function" in call:
        arguments = text_of_json(call["function"].get("arguments", ""))
        call["function"] = call["function"] | {"arguments": arguments}
    if "code_interpreter" in call:
        call["code_interpreter"] = {"input": "", "outputs": []} | call["code_interpreter"]
    return call


def _tool_call_deltas(call: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A tool call without its texts, then its arguments or input word by word, then its outputs."""
    if call["type"] == "function":
        yield {"id": call["id"], "function": call["function"] | {"arguments": "", "output": None}}
        for piece in pieces(call["function"]["arguments"]):
            yield {"function": {"arguments": piece}}
        if call["function"].get("output") is not None:
            yield {"function": {"output": call["function"]["output"]}}
    elif call["type"] == "code_interpreter":
        code = call["code_interpreter"]
        yield {"id": call["id"], "code_interpreter": {"input": "", "outputs": []}}
        for piece in pieces(code["input"]):
            yield {"code_interpreter": {"input": piece}}
        for index, output in enumerate(code["outputs"]):
            yield {"code_interpreter": {"outputs": [{"index": index} | output]}}
    else:
        yield call


def _content_deltas(content: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The parts of a message, their texts word by word."""
    for index, part in enumerate(content):
        begun = {"index": index, "type": part["type"]}
        if part["type"] == "text":
            words = pieces(part["text"]["value"]) or [""]
            for place, piece in enumerate(words):
                empty: dict[str, Any] = {"annotations": []} if place == 0 else {}
                yield begun | {"text": {"value": piece} | empty}
            for place, annotation in enumerate(part["text"]["annotations"]):
                yield begun | {"text": {"annotations": [{"index": place} | annotation]}}
        else:
            yield begun | part


def _texts_of(message: dict[str, Any]) -> str:
    texts = [part["text"]["value"] for part in message["content"] if part.get("type") == "text"]
    return " ".join(texts)


ENDPOINTS: tuple[Endpoint, ...] = (
    CreateThreadAndRun("beta.threads.create_and_run", "/threads/runs", RUN),
    CreateRun("beta.threads.runs.create", "/threads/{thread_id}/runs", RUN),
    List("beta.threads.runs.list", "/threads/{thread_id}/runs", RUN),
    Retrieve("beta.threads.runs.retrieve", "/threads/{thread_id}/runs/{run_id}", RUN),
    Update("beta.threads.runs.update", "/threads/{thread_id}/runs/{run_id}", RUN),
    CancelRun("beta.threads.runs.cancel", "/threads/{thread_id}/runs/{run_id}/cancel", RUN),
    SubmitToolOutputs(
        "beta.threads.runs.submit_tool_outputs", "/threads/{thread_id}/runs/{run_id}/submit_tool_outputs", RUN
    ),
    List("beta.threads.runs.steps.list", "/threads/{thread_id}/runs/{run_id}/steps", STEP),
    Retrieve("beta.threads.runs.steps.retrieve", "/threads/{thread_id}/runs/{run_id}/steps/{step_id}", STEP),
)
