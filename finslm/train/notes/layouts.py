"""How training notes look: letters, forms, short messages, jottings, lists, chats."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

from finslm.train.names.grammar import Piece, Scene
from finslm.train.notes.conditions import slots
from finslm.train.notes.note import capitalised, changed, ended, named
from finslm.train.notes.topics import Turn
from finslm.train.notes.writing import Writer

_SAID_ALONE: Final = ("card", "account", "date", "amount")
"""Facts that may have a sentence of their own."""
_ALONE_SHARE: Final = 0.6
_NAMED_SHARE: Final = 0.45
"""Share of texts that name the customer."""
_ORDERS: Final = (("happened", "tried", "want"),) * 4 + (
    ("want", "happened", "tried"), ("tried", "happened", "want"), ("happened", "want", "tried"),
)  # fmt: skip
_SPEAKERS: Final = (("Agent", "Customer"), ("A", "C"), ("Rep", "Caller"), ("AGENT", "CUSTOMER"))
_SHORT: Final = {
    "account": "acct", "payment": "pmt", "transaction": "txn", "customer": "cust", "with": "w/", "without": "w/o",
    "and": "&", "about": "re", "received": "rcvd", "information": "info", "number": "no", "business days": "bus days",
    "reference": "ref", "please": "pls", "through": "thru", "because": "bc", "statement": "stmt", "balance": "bal",
    "transfer": "trf", "before": "b4", "amount": "amt", "message": "msg", "caller": "clr",
}  # fmt: skip
_WORD: Final = re.compile(rf"\b({'|'.join(_SHORT)})\b")


@final
@dataclass(frozen=True, slots=True)
class Told:
    """A story about to be told.

    Args:
        writer: writes the lines.
        scene: of the text.
        turns: part of the story and how it went.
        facts: what may be told.
        subjects: lines for what stands above it.
    """

    writer: Writer
    scene: Scene
    turns: Mapping[str, Turn]
    facts: Collection[str]
    subjects: Sequence[str]

    def frame(self, rule: str) -> list[Piece]:
        """One line of a rule that holds no fact, or of one that says a fact alone."""
        return self.writer.grammar.expand(rule, self.scene)

    def maybe(self, rule: str, share: float) -> list[Piece]:
        """The same, now and then; nothing that begins like what was said before."""
        if self.scene.rng.random() >= share:
            return []
        pieces = self.frame(rule)
        opening = " ".join("".join(text for text, _ in pieces).split()[:2])
        return [] if self.scene.memo.setdefault(f"{opening}!", pieces) is not pieces else pieces

    def part(self, part: str, voice: str) -> list[Piece]:
        """What a voice says of a part of the story."""
        lines = self.turns[part].lines[voice]
        return self.writer.write(self.scene.rng.choice(lines), self.facts, self.scene)

    def sentences(self, part: str) -> list[list[Piece]]:
        """The customer's sentence, and those for facts that it left out."""
        said = ended(capitalised(self.part(part, "c")))
        if part != "happened":
            return [said]
        wanted = slots(" ".join(self.turns[part].lines["s"]), self.facts).difference(named(said))
        alone = [name for name in _SAID_ALONE if name in wanted and self.scene.rng.random() < _ALONE_SHARE]
        return [said, *(ended(self.frame(f"say_{name}")) for name in alone)]

    @property
    def named(self) -> bool:
        """Whether the customer is named; drawn anew each time it is asked."""
        return self.scene.rng.random() < _NAMED_SHARE

    def name(self) -> list[Piece]:
        """The customer's name."""
        return self.writer.write("{customer}", self.facts, self.scene)

    def subject(self) -> list[Piece]:
        """What stands above the text."""
        return self.writer.write(self.scene.rng.choice(self.subjects), self.facts, self.scene)


def _body(told: Told, asides: Sequence[str], share: float) -> list[list[Piece]]:
    """The story's sentences in one of the orders, with others between them."""
    sentences = [s for part in told.scene.rng.choice(_ORDERS) if part in told.turns for s in told.sentences(part)]
    with_asides: list[list[Piece]] = []
    for sentence in sentences:
        with_asides += [aside for aside in (told.maybe(rule, share) for rule in asides) if aside]
        with_asides.append(sentence)
    return with_asides + [aside for aside in (told.maybe(rule, share) for rule in asides) if aside]


def _joined(parts: Sequence[Sequence[Piece]], mark: str) -> list[Piece]:
    pieces: list[Piece] = []
    for number, part in enumerate(parts):
        pieces += [*([(mark, None)] if number else []), *part]
    return pieces


def _signed(told: Told) -> list[Piece]:
    name = [("\n", None), *told.name()] if told.named else []
    return [("\n\n", None), *told.frame("bye"), *name, *told.frame("sender")]


def email(told: Told) -> list[Piece]:
    """With a subject, a greeting and a signature."""
    head: list[Piece] = [("Subject: ", None), *told.subject(), ("\n\n", None)] if told.scene.rng.random() < 0.6 else []
    mark = told.scene.rng.choice((" ", " ", "\n\n"))
    return [*head, *told.frame("hello"), ("\n\n", None), *_joined(_body(told, _ASIDES, 0.3), mark), *_signed(told)]


def letter(told: Told) -> list[Piece]:
    """On paper: date and address above, boilerplate below."""
    head = told.writer.write("[{otheraddress}\n\n|]{today}\n\n[Re: |RE: |Subject: |]", (), told.scene)
    body = _joined(_body(told, _ASIDES, 0.35), told.scene.rng.choice((" ", "\n\n")))
    end = [("\n", None), *told.frame("legal")] if told.scene.rng.random() < 0.3 else []
    top = [*head, *capitalised(told.subject()), ("\n\n", None), *told.frame("hello"), ("\n\n", None)]
    return [*top, *body, *_signed(told), *end]


def form(told: Told) -> list[Piece]:
    """A web form with its questions."""
    ask = told.scene.rng.choice((
        ("What happened?", "What did you do so far?", "Desired outcome"), ("Describe your complaint:", "Steps taken:",
        "Requested resolution:"), ("Your message", "Previous contact", "How can we put this right?"),
    ))  # fmt: skip
    pieces: list[Piece] = [("Name: ", None), *told.name(), ("\n", None)] if told.named else []
    pieces += [("Topic: ", None), *told.subject(), ("\n", None)] if told.scene.rng.random() < 0.5 else []
    for question, part in zip(ask, ("happened", "tried", "want"), strict=True):
        if part in told.turns:
            more = [*told.sentences(part), told.maybe("history", 0.5), told.maybe("anger", 0.4)]
            pieces += [(f"{question}\n", None), *_joined([s for s in more if s], " "), ("\n\n", None)]
    return [*pieces, *told.maybe("legal", 0.5)]


def short(told: Told) -> list[Piece]:
    """A message typed in anger, no greeting."""
    mark = told.scene.rng.choice((" ", " ", "\n"))
    named_ = [ended(told.frame("say_customer"))] if told.scene.rng.random() < 0.25 else []
    start = told.maybe("short_anger", 0.4)
    body = [*([start] if start else []), *_body(told, ("anger",), 0.3), *named_, told.frame("short_anger")]
    return _joined(body, mark)


def rambling(told: Told) -> list[Piece]:
    """Long, with much that does not matter."""
    body = _body(told, ("history", "anger", "history"), 0.5)
    name = [ended(told.frame("say_customer"))] if told.named else []
    return _joined([told.frame("history"), *name, *body], " ")


_ASIDES: Final = ("history", "anger")


def _parts(told: Told) -> list[str]:
    return [part for part in ("happened", "tried", "want", "next") if part in told.turns]


def _caller(told: Told) -> list[Piece]:
    line = told.scene.rng.choice(("{customer}", "Customer", "Customer {customer}", "Caller", "Client"))
    return told.writer.write(line, told.facts, told.scene)


def _with_asides(told: Told, lines: list[list[Piece]], share: float) -> list[list[Piece]]:
    mixed: list[list[Piece]] = []
    for line in lines:
        mixed += [line, *(aside for aside in [told.maybe("note_aside", share)] if aside)]
    return [part for part in (told.frame("note_head"), *mixed, told.frame("note_foot")) if part]


def jotting(told: Told) -> list[Piece]:
    """One run of shorthand."""
    first, *rest = _parts(told)
    lines = [[*_caller(told), (" ", None), *told.part(first, "n")], *(told.part(part, "n") for part in rest)]
    mark = told.scene.rng.choice((". ", "; ", ", ", " - ", " // "))
    return _brief(told, _joined(_with_asides(told, lines, 0.6), mark))


def prose(told: Told) -> list[Piece]:
    """Whole sentences."""
    lines = []
    for part in _parts(told):
        who: list[Piece] = _caller(told) if part == "happened" else [("Customer", None)] if part != "next" else []
        start = [*who, (" ", None)] if who else []
        lines.append(ended(capitalised([*start, *told.part(part, "n")])))
    lines = [ended(capitalised(line)) for line in _with_asides(told, lines, 0.7)]
    return _joined(lines, " ")


def bullets(told: Told) -> list[Piece]:
    """A list."""
    bullet = told.scene.rng.choice(("- ", "* ", "• ", "> "))
    head = [("Caller: ", None), *told.name(), ("\n", None)] if told.named else []
    lines = _with_asides(told, [told.part(part, "n") for part in _parts(told)], 0.8)
    return _brief(told, [*head, *_joined([[(bullet, None), *line] for line in lines], "\n")])


def crm(told: Told) -> list[Piece]:
    """A form of the customer system."""
    rng = told.scene.rng
    names = rng.choice((
        ("Reason for contact", "History", "Customer request", "Action / next step"),
        ("ISSUE", "TRIED", "WANTS", "NEXT"),
        ("Contact reason", "Previous contacts", "Expectation", "Follow-up"),
    ))  # fmt: skip
    fields = dict(zip(("happened", "tried", "want", "next"), names, strict=True))
    pieces: list[Piece] = [("Customer: ", None), *told.name(), ("\n", None)] if told.named else []
    pieces += [*told.writer.write("[Channel: phone\n|Contact time: {today} {time}\n|Queue: {~%}\n]", (), told.scene)]
    for part in _parts(told):
        pieces += [(f"{fields[part]}: ", None), *told.part(part, "n"), ("\n", None)]
    remarks = [told.frame("note_aside") for _ in range(rng.randint(1, 3))]
    return _brief(told, [*pieces, ("Remarks: ", None), *_joined(remarks, "; ")])


def chat(told: Told) -> list[Piece]:
    """What both said."""
    agent, customer = told.scene.rng.choice(_SPEAKERS)
    turns = [(agent, told.frame("agent_hello"))]
    opening = [ended(told.frame("say_customer"))] if told.named else []
    for part in _parts(told):
        if part == "next":
            turns.append((agent, ended(capitalised(told.part(part, "a")))))
            continue
        turns.append((customer, _joined([*(opening if part == "happened" else []), *told.sentences(part)], " ")))
        turns.append((agent, told.frame("agent_ack")))
        turns += [(customer, told.frame("customer_aside"))] if told.scene.rng.random() < 0.5 else []
    turns += [(agent, told.frame("agent_bye")), (customer, told.frame("customer_bye"))]
    return _joined([[(f"{who}: ", None), *said] for who, said in turns], "\n")


def _brief(told: Told, pieces: list[Piece]) -> list[Piece]:
    """In an agent's abbreviations, more often than not."""
    if told.scene.rng.random() < 0.35:
        return pieces
    share = told.scene.rng.choice((0.4, 0.9))
    change = lambda word: _SHORT[word[1]] if told.scene.rng.random() < share else word[1]  # noqa: E731
    return changed(pieces, lambda text: _WORD.sub(change, text), facts=False)


LAYOUTS: Final[Mapping[str, Mapping[str, Callable[[Told], list[Piece]]]]] = {
    "complaint": {"email": email, "letter": letter, "form": form, "short": short, "rambling": rambling},
    "call_note": {"jotting": jotting, "prose": prose, "bullets": bullets, "crm": crm, "chat": chat},
}
"""Kind and its layouts."""
