"""(9) What a task is, and the registry of them. A new task is one file in this folder and its name in ``__init__``."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from finslm.errors import ConfigError, UnknownTask
from finslm.tasks.forms import Form
from finslm.types import Grammar, Message, Prompt, SamplingParams
from redaction.text import RedactedText

GREEDY = SamplingParams()
"""Always the likeliest token: the same text gives the same answer."""


class TaskKind(enum.StrEnum):
    """Which way of the engine a task takes."""

    GENERATE = "GENERATE"
    """Text."""
    CLASSIFY = "CLASSIFY"
    """Labels of an adapter or of the request, by one prefill."""
    EXTRACT = "EXTRACT"
    """A JSON object that matches the task's schema."""


@final
@dataclass(frozen=True, slots=True)
class Task:
    """A prompt template with what belongs to it.

    Args:
        name: what callers send.
        kind: which RPC serves it.
        description: one sentence for callers.
        render: makes the prompt of a text; template words are the program's, the text is redacted.
        adapter: name of the adapter: one that classifies for CLASSIFY, one that tags for EXTRACT with a form, one that
            writes for GENERATE; None there: the base itself writes.
        takes_labels: the request names the labels, and the model itself scores them; CLASSIFY needs this or an adapter.
        temperature: the calibrated log-probabilities of such labels are divided by it before softmax, above 0.
        defaults: sampling parameters where the caller sets none.
        schema: JSON Schema (draft 2020-12) of an answer that the model writes; for EXTRACT without a form.
        form: the fields that an adapter tags, from which code makes the answer; for EXTRACT.
        grounded: an answer may hold no fact that the text has not, and those that it does hold are reported; for
            GENERATE.

    Raises:
        ConfigError: adapter or schema do not fit the kind, or the schema is none.
    """

    name: str
    kind: TaskKind
    description: str
    render: Callable[[RedactedText], Prompt] = field(repr=False)
    adapter: str | None = None
    defaults: SamplingParams = GREEDY
    schema: Mapping[str, Any] | None = field(default=None, repr=False)
    takes_labels: bool = False
    temperature: float = 1.0
    form: Form | None = field(default=None, repr=False)
    grounded: bool = False

    def __post_init__(self) -> None:
        tags, writes = self.kind is TaskKind.EXTRACT and self.form is not None, self.kind is TaskKind.GENERATE
        wanted = self.adapter is not None if writes else self.kind is TaskKind.CLASSIFY or tags
        if (self.adapter is not None) + self.takes_labels != wanted:
            raise ConfigError(
                f"task {self.name}: an adapter or takes_labels, one of the two, belongs to CLASSIFY, an adapter to "
                "EXTRACT with a form, an adapter or nothing to GENERATE, and neither to anything else"
            )
        if self.grounded and not writes:
            raise ConfigError(f"task {self.name}: grounded belongs to GENERATE only")
        if not self.temperature > 0:
            raise ConfigError(f"task {self.name}: temperature {self.temperature} must be above 0")
        if (self.schema is not None) + (self.form is not None) != (self.kind is TaskKind.EXTRACT):
            raise ConfigError(f"task {self.name}: a schema or a form, one of the two, belongs to EXTRACT only")
        if self.schema is not None:
            try:
                Draft202012Validator.check_schema(self.schema)
            except SchemaError as error:
                raise ConfigError(f"task {self.name}: not a JSON Schema: {error.message}") from error

    @property
    def document(self) -> Mapping[str, Any] | None:
        """JSON Schema of the answer, whether the model writes it or code; None: the answer is no document."""
        return self.schema if self.form is None else self.form.schema()

    @property
    def grammar(self) -> Grammar | None:
        """What the answer must look like; None for anything."""
        if self.schema is None:
            return None
        return Grammar("json_schema", (RedactedText.trusted(json.dumps(self.schema)),))


class TaskRegistry:
    """Tasks by name."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}

    def register(
        self,
        name: str,
        kind: TaskKind,
        description: str,
        *,
        adapter: str | None = None,
        defaults: SamplingParams = GREEDY,
        schema: Mapping[str, Any] | None = None,
        takes_labels: bool = False,
        temperature: float = 1.0,
        form: Form | None = None,
        grounded: bool = False,
    ) -> Callable[[Callable[[RedactedText], Prompt]], Task]:
        """Decorate a function that renders the prompt; the name then is the :class:`Task`.

        Raises:
            ConfigError: the name is taken, or the parts do not fit the kind.
        """

        def decorate(render: Callable[[RedactedText], Prompt]) -> Task:
            if name in self._tasks:
                raise ConfigError(f"task {name} is registered twice")
            self._tasks[name] = Task(
                name, kind, description, render, adapter, defaults, schema, takes_labels, temperature, form, grounded
            )
            return self._tasks[name]

        return decorate

    def get(self, name: str) -> Task:
        """The task of that name.

        Raises:
            UnknownTask: there is none; the message lists those there are and never repeats the caller's word.
        """
        if (task := self._tasks.get(name)) is None:
            raise UnknownTask(f"no such task; known: {', '.join(self.names())}")
        return task

    def names(self, kind: TaskKind | None = None) -> tuple[str, ...]:
        """Names in order, of one kind or of all."""
        return tuple(sorted(n for n, task in self._tasks.items() if kind is None or task.kind is kind))

    def __iter__(self) -> Iterator[Task]:
        return iter(self._tasks[name] for name in self.names())


TASKS = TaskRegistry()
"""The tasks that are served."""


def conversation(
    system: str, text: RedactedText, *, examples: Iterable[tuple[str, str]] = (), prefill: str = ""
) -> Prompt:
    """A prompt: instruction, worked examples, then the text as a message of its own.

    Args:
        system, examples, prefill: the program's words. Only ``text`` comes from outside.
    """
    shown = [
        message
        for question, answer in examples
        for message in (
            Message("user", RedactedText.trusted(question)),
            Message("assistant", RedactedText.trusted(answer)),
        )
    ]
    opening = Message("system", RedactedText.trusted(system))
    return Prompt((opening, *shown, Message("user", text)), RedactedText.trusted(prefill))
