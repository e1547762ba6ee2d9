"""Which version of a model is served: the one promoted last, by somebody whose word counts.

What the package ships or its manifest pins is approved by the release, until somebody retires it. A version that came
in here is a candidate until it is promoted. Retiring takes a version out for good: what is served then is the version
approved before it, and nothing where there is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from finslm.config import ModelsSettings
from finslm.errors import ConfigError, UnknownModel
from finslm.models import versions
from finslm.models.approvers import Approvers
from finslm.models.registry import InstalledModel, ModelState, Registry
from finslm.models.stages import Entry, Head, Stage, StageLog, read_log


@final
@dataclass(slots=True)
class Approval:
    """The registry, and what the stage log says of its models.

    Args:
        registry: what is installed.
        log: checked: form, chain and signatures.
        approvers: whose decisions count.
        serve: ``approved`` only, or ``any`` version.
    """

    registry: Registry
    log: StageLog
    approvers: Approvers
    serve: str = "approved"

    @classmethod
    def open(cls, settings: ModelsSettings, registry: Registry | None = None) -> Approval:
        """Read and check the stage log.

        Raises:
            ConfigError: it is damaged, or holds a decision that does not count.
        """
        chosen, approvers = registry or Registry(settings.dir), Approvers.of(settings)
        log = read_log(chosen.models_dir)
        approvers.check(log)
        return cls(chosen, log, approvers, settings.serve)

    def reread(self, seen: Head) -> Approval:
        """What holds now.

        Args:
            seen: head that the log must go on from.

        Raises:
            ConfigError: see :meth:`open`; or decisions that were there before are gone.
        """
        log = read_log(self.registry.models_dir)
        self.approvers.check(log)
        check_follows(log, seen)
        return Approval(self.registry, log, self.approvers, self.serve)

    def stage(self, model: InstalledModel) -> Stage:
        """Where a version stands."""
        for entry in reversed(self.log.of(model.identity.name)):
            if entry.decision.digest == model.identity.digest:
                return entry.decision.stage
        return "approved" if self._is_released(model) else "candidate"

    def current(self, name: str) -> str:
        """Digest of the version that was promoted last and not retired since; empty: the release's, or none."""
        approved: dict[str, None] = {}
        for entry in self.log.of(name):
            approved.pop(entry.decision.digest, None)
            if entry.decision.stage == "approved":
                approved[entry.decision.digest] = None
        return next(reversed(approved), "")

    def resolve(self, ref: str, *, verify: bool = False) -> InstalledModel:
        """For tools: the version that ``NAME`` means now, whatever its stage, or the certain one of ``NAME@DIGEST``.

        Raises:
            UnknownModel: not installed.
            ConfigError: damaged, or one of several versions of which none is approved.
        """
        name, digest = versions.split(ref)
        if not digest and (current := self.current(name)):
            return self.registry.resolve(f"{name}@{current}", verify=verify)
        return self.registry.resolve(ref, verify=verify)

    def admit(self, ref: str) -> InstalledModel:
        """For the service: :meth:`resolve`, with every file hashed, and only what the settings let it serve.

        Raises:
            UnknownModel, ConfigError: as :meth:`resolve`; or it is not approved, with the command that approves it.
        """
        model = self.resolve(ref, verify=True)
        stage = self.stage(model)
        if stage == "approved" or (self.serve == "any" and (stage == "candidate" or versions.split(ref)[1])):
            return model
        command = (
            f"finslm models promote {model.identity.name} --digest {model.identity.digest[: versions.SHOWN_DIGITS]}"
        )
        raise ConfigError(
            f"model {model.ref} is {_words(stage)}, and only approved versions are served: look at it (finslm models "
            f"history {model.identity.name}), then run: {command} --by WHO --why TEXT --key KEYFILE; "
            "or set models.serve to any"
        )

    def candidates(self, name: str) -> list[InstalledModel]:
        """Versions of ``name`` on which nothing was decided."""
        found = (state.installed for state in self.registry.versions(name))
        return [model for model in found if model is not None and self.stage(model) == "candidate"]

    def serves(self, state: ModelState) -> bool:
        """Whether its name alone means this version."""
        if state.installed is None:
            return False
        try:
            return self.resolve(state.name).identity == state.installed.identity
        except (ConfigError, UnknownModel):
            return False

    def history(self, name: str) -> list[Entry]:
        """Decisions on ``name``, oldest first."""
        return self.log.of(name)

    def _is_released(self, model: InstalledModel) -> bool:
        """Where approvers have keys, files made on this machine are not the release's word alone."""
        return model.released == "pinned" or (model.released == "made-here" and not self.approvers.keys)


def check_follows(log: StageLog, seen: Head) -> None:
    """Refuse a log that was cut back or replaced.

    Raises:
        ConfigError: it does not go on from ``seen``.
    """
    if not log.follows(seen):
        raise ConfigError(
            f"the stage log ends at decision {log.head.size} ({log.head.hash[:16]}…) and does not go on from decision "
            f"{seen.size} ({seen.hash[:16]}…), which was there before: decisions are missing or were replaced. Restore "
            f"stages.jsonl from its backup; to accept it as it is, set models.stages_reset to {log.head.hash}"
        )


def _words(stage: Literal["candidate", "approved", "retired"]) -> str:
    return {"candidate": "a candidate", "retired": "retired", "approved": "approved"}[stage]
