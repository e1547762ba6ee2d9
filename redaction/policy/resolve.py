"""From a file to the policy that holds: what it extends is read first, and everything is checked against this version.

A policy inherits what it does not say. Types and their rules are joined, lists are put together, and what
a policy below switches off stays off: so a bank's own policy can be the base of each desk's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, final

from pydantic import ValidationError

from redaction.errors import PolicyError
from redaction.policy.known import classifier_types, finders, nearest, presidio_types, recognizer_types
from redaction.policy.layer import BUILTIN, FILE, Layer, problems_of, read_layer
from redaction.policy.model import Policy

MAX_LAYERS: Final = 8
"""How many policies may stand on each other."""


@final
@dataclass(frozen=True, slots=True)
class Resolved:
    """A policy and where each part of it comes from.

    Args:
        policy: what holds.
        layers: the files it is made of, the base first.
        origins: type → ``FILE:LINE`` of what decides: where it, or a recognizer, is switched off, else its last rule.
        allow_origins: ``FILE:LINE`` of each entry of ``policy.allow``.
        deny_origins: of each entry of ``policy.deny``.
    """

    policy: Policy
    layers: tuple[str, ...]
    origins: Mapping[str, str]
    allow_origins: tuple[str, ...]
    deny_origins: tuple[str, ...]


def builtin_names() -> list[str]:
    """Return the names of the policies that come with the package."""
    files = resources.files("redaction").joinpath("policies").iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


def resolve(name: Path | str) -> Resolved:
    """Read a policy and all that it extends.

    Args:
        name: a path, or the name of a built-in policy.

    Raises:
        PolicyError: unreadable, not YAML, a circle, or a key or value that breaks the rules; says where.
    """
    return _stack(_read(name, None), None if str(name) in builtin_names() else Path(name).parent)


def resolve_text(text: str, *, where: str = "policy", folder: Path | None = None) -> Resolved:
    """Make a policy from YAML text.

    Args:
        text: the YAML.
        where: how errors call it.
        folder: where the files lie that it extends; None: it may extend built-in policies only.

    Raises:
        PolicyError: see :func:`resolve`.
    """
    return _stack(read_layer(text, where), folder)


def known_types(*also: Policy) -> frozenset[str]:
    """Return every type that this version may find, that its built-in policies name, or that ``also`` deny.

    What Presidio's recognizers find, the built-in policies name: so Presidio need not be imported to know.
    """
    denied = {entry.type for policy in also for entry in policy.deny}
    return frozenset({*finders(), *_builtin_types(), *denied})


def _builtin_types() -> Iterable[str]:
    for name in builtin_names():
        yield from _builtin(name).policy.entities


@lru_cache
def _builtin(name: str) -> Layer:
    text = resources.files("redaction").joinpath("policies", f"{name}.yaml").read_text("utf-8")
    return read_layer(text, f"{BUILTIN}{name}")


def _stack(top: Layer, folder: Path | None) -> Resolved:
    layers, seen = [top], {top.where}
    while (extends := layers[-1].extends) is not None:
        above = layers[-1]
        below = _read(extends, folder, above)
        if below.where in seen:
            raise above.wrong(("extends",), f"a circle: {below.where} is what this stands on")
        if len(layers) == MAX_LAYERS:
            raise above.wrong(("extends",), f"more than {MAX_LAYERS} policies on each other")
        if not below.where.startswith(BUILTIN):
            folder = Path(below.where.removeprefix(FILE)).parent
        layers.append(below)
        seen.add(below.where)
    layers.reverse()
    _check_names(layers)
    return _joined(layers)


def _read(name: Path | str, folder: Path | None, above: Layer | None = None) -> Layer:
    if str(name) in builtin_names():
        return _builtin(str(name))
    if above is not None and (folder is None or Path(name).suffix not in (".yaml", ".yml")):
        known = builtin_names()
        said = f"no built-in policy of that name;{nearest(str(name), known)} known: {', '.join(known)}"
        raise above.wrong(("extends",), said + ("; or the path of a .yaml file" if folder else ""))
    path = Path(name) if folder is None else folder / name
    where = f"{FILE}{path}"
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        said = f"{type(error).__name__}; it must be readable UTF-8{_or_builtin(path)}"
        raise (above.wrong(("extends",), f"{path}: {said}") if above else PolicyError(f"{where}: {said}")) from None
    return read_layer(text, where)


def _or_builtin(path: Path) -> str:
    return "" if path.suffix else f", or a built-in policy: {', '.join(builtin_names())}"


def _joined(layers: Sequence[Layer]) -> Resolved:
    tree: dict[str, Any] = {"entities": {}, "switched_off": {}, "allow": [], "deny": [], "answer": {}}
    origins: dict[str, dict[Any, str]] = {"entities": {}, "off": {}, "allow": {}, "deny": {}}
    for layer in layers:
        said = layer.policy.model_dump(exclude_unset=True)
        for type_, rule in said.pop("entities", {}).items():
            below = tree["entities"].get(type_, {})
            if "action" in rule:  # another action has options of its own
                below.pop("options", None)
            tree["entities"][type_] = {**below, **rule}
            origins["entities"][type_] = layer.at("entities", type_)
        for key, names in said.pop("switched_off", {}).items():
            tree["switched_off"][key] = (*tree["switched_off"].get(key, ()), *names)
            origins["off"] = {name: layer.at("switched_off", key) for name in names} | origins["off"]
        answer = said.pop("answer", {})
        forbid = (*tree["answer"].get("forbid", ()), *answer.get("forbid", ()))
        tree["answer"] |= {**answer, "forbid": forbid}
        for key in ("allow", "deny"):
            for number, entry in enumerate(said.pop(key, ())):
                origins[key][len(tree[key])] = layer.at(key, number)
                tree[key].append(entry)
        tree.update(said)
    try:
        policy = Policy.model_validate(tree)
    except ValidationError as error:
        raise PolicyError(f"{layers[-1].where}, with what it extends: {problems_of(error)}") from None
    return Resolved(
        policy,
        tuple(layer.place for layer in layers),
        MappingProxyType(origins["entities"] | origins["off"]),
        tuple(origins["allow"].values()),
        tuple(origins["deny"].values()),
    )


def _check_names(layers: Sequence[Layer]) -> None:
    """Refuse a type or recognizer that this version does not know: a typo must not switch a protection off."""
    types = known_types(*(layer.policy for layer in layers))
    off = {name for layer in layers for name in layer.policy.switched_off.recognizers}
    recognizers = {*recognizer_types(), *classifier_types()}
    if not off <= recognizers:
        recognizers |= {*presidio_types()}
    for layer in layers:
        policy = layer.policy
        for type_ in policy.entities:
            _check_name(layer, ("entities", type_), type_, types, "type")
        for type_ in policy.switched_off.types:
            _check_name(layer, ("switched_off", "types"), type_, types, "type")
        for type_ in policy.answer.forbid:
            _check_name(layer, ("answer", "forbid"), type_, types, "type")
        for number, entry in enumerate(policy.allow):
            for type_ in entry.types:
                _check_name(layer, ("allow", number, "types"), type_, types, "type")
        for name in policy.switched_off.recognizers:
            _check_name(layer, ("switched_off", "recognizers"), name, recognizers, "recognizer")


def _check_name(layer: Layer, path: Sequence[str | int], name: str, known: Iterable[str], kind: str) -> None:
    if name not in known:
        known_ones = "`finslm policy explain finance` lists those known"
        raise layer.wrong(path, f"no {kind} {name[:64]!r} is known;{nearest(name, known)} {known_ones}")
