"""What is kept is on the disk, sealed, and there until it expires or is erased; nothing is changed unseen."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from finslm.config import FeedbackSettings
from finslm.errors import (
    ConfigError,
    FeedbackFull,
    FeedbackUnavailable,
    InvalidRequest,
    QuotaExceeded,
    VaultTampered,
)
from finslm.feedback import FeedbackStore, NewFeedback
from finslm.feedback.store import DAY_S, FILE
from redaction.keys import FileKeys

KILLS = int(os.environ.get("FINSLM_FEEDBACK_KILLS", "2"))


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(tmp_path: Path) -> FileKeys:
    return FileKeys.made(tmp_path / "keys.json")


@pytest.fixture
def opened(tmp_path: Path, keys: FileKeys, clock: Clock):
    made: list[FeedbackStore] = []

    def make(**settings) -> FeedbackStore:
        made.append(FeedbackStore(FeedbackSettings(dir=tmp_path / "feedback", **settings), keys, clock))
        return made[-1]

    yield make
    for each in made:
        each.close()


def new(number: int = 0, **more) -> NewFeedback:
    known = {
        "tenant": "bank",
        "principal": "desk",
        "request_id": f"request-{number}",
        "task": "banking_intent",
        "verdict": "WRONG",
        "text": f"<PERSON_1> waits for card {number}: Geheimnis",
        "label": "card_arrival",
        "consent_basis": "CONSENT",
        "consent_by": "SUBJECT",
        "entity_counts": {"PERSON": 1},
        "policy_digest": "a" * 64,
        "redactor_digest": "b" * 64,
        "subject": "C-4711",
    }
    return NewFeedback(**{**known, **more})


class TestAdd:
    def test_what_was_kept_is_read_again(self, opened):
        store = opened()
        made = store.add(new(adapter=("intent", "c" * 64)))
        (found,) = store.read()
        assert (found.id, found.time) == (made, "1970-01-12T13:46:40Z")
        assert found.said == replace(new(adapter=("intent", "c" * 64)), subject="")

    def test_neither_text_nor_subject_is_in_the_files(self, opened, tmp_path):
        store = opened()
        store.add(new(answer="Geheimnis auch"))
        content = b"".join(file.read_bytes() for file in (tmp_path / "feedback").iterdir())
        assert b"card_arrival" in content  # positive control: the row is there
        for needle in (b"Geheimnis", b"waits for card", b"C-4711"):
            assert needle not in content
        assert (tmp_path / "feedback" / FILE).stat().st_mode & 0o077 == 0

    def test_a_call_that_is_sent_again_is_kept_once(self, opened):
        """The client tries again by itself; something else under the same id is refused, another caller's is not."""
        store = opened()
        made = store.add(new())
        assert store.add(new()) == made
        with pytest.raises(InvalidRequest, match="other feedback"):
            store.add(new(text="something else"))
        for other in ({"subject": "C-1"}, {"subject": ""}, {"consent_by": "CONTROLLER"}, {"task": "news_sentiment"}):
            with pytest.raises(InvalidRequest, match="other feedback"):
                store.add(new(**other))
        assert store.add(new(policy_digest="c" * 64)) == made  # the policy changed between the two tries
        store.add(new(principal="other"))
        assert store.holds()["bank"].records == 2

    def test_a_tenant_cannot_fill_more_than_its_share(self, opened):
        store = opened(max_records=2)
        for number in range(2):
            store.add(new(number))
        with pytest.raises(FeedbackFull, match="2 records"):
            store.add(new(3))
        store.add(new(3, tenant="other"))
        assert store.add(new(0)) == next(store.read("bank")).id  # a call sent again still gets its answer

    def test_the_bytes_are_bounded_too(self, opened):
        store = opened(max_mib=1)
        store.add(new(0, text="x" * 600_000))
        with pytest.raises(FeedbackFull, match="1 MiB"):
            store.add(new(1, text="x" * 600_000))

    def test_one_caller_cannot_flood_it_and_learns_when_to_go_on(self, opened, clock):
        store = opened(max_a_day=2)
        store.add(new(0))
        clock.now += 100
        store.add(new(1))
        with pytest.raises(QuotaExceeded) as refused:
            store.add(new(2))
        assert refused.value.retry_after_s == DAY_S - 100
        store.add(new(2, principal="other"))
        clock.now += DAY_S - 100
        store.add(new(2))

    def test_a_full_disk_refuses_and_keeps_what_was_there(self, opened):
        """SQLite's own limit of pages stands for the disk: the same error, from the same place."""
        store = opened()
        kept = store.add(new(0))
        store._connection.execute("PRAGMA max_page_count = 1")  # it becomes the pages there are
        with pytest.raises(FeedbackUnavailable, match="SQLITE_FULL"):
            for number in range(1, 100):
                store.add(new(number, text="x" * 3000))
        store._connection.execute("PRAGMA max_page_count = 100000")
        assert next(store.read()).id == kept
        store.add(new(200))

    def test_without_its_keys_nothing_is_kept(self, opened, tmp_path):
        store = opened()
        (tmp_path / "keys.json").unlink()
        with pytest.raises(FeedbackUnavailable, match="keeper of the keys"):
            store.add(new())
        assert store.holds() == {}


class TestErase:
    def test_by_id_by_subject_by_caller_and_all(self, opened):
        store = opened()
        first = store.add(new(0, subject="other"))
        for number in (1, 2):
            store.add(new(number))
        store.add(new(3, principal="third", subject=""))
        store.add(new(4, tenant="elsewhere"))
        assert store.erase("bank", ids=[first, "no-such-id"]) == 1
        assert store.erase("bank", subject="nobody") == 0
        assert store.erase("bank", subject="C-4711") == 2
        assert store.erase("bank", principal="third") == 1
        assert [record.said.tenant for record in store.read()] == ["elsewhere"]
        assert store.erase("elsewhere", everything=True) == 1
        assert store.holds() == {"bank": (0, 0), "elsewhere": (0, 0)}
        assert [(e.kind, e.tenant, e.records) for e in store.events()] == [
            ("ERASED", "bank", 1),
            ("ERASED", "bank", 2),
            ("ERASED", "bank", 1),
            ("ERASED", "elsewhere", 1),
        ]

    def test_who_reads_meanwhile_keeps_the_log_from_being_cut_and_that_is_told(self, opened, tmp_path, monkeypatch):
        """It is erased, and the next sweep cuts the log."""
        monkeypatch.setattr("finslm.feedback.store._WAIT_MS", 50)
        store = opened()
        made = store.add(new())
        reader = sqlite3.connect(tmp_path / "feedback" / FILE, isolation_level=None)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM records").fetchone() == (1,)
        with pytest.raises(FeedbackUnavailable, match="erased, but another process reads"):
            store.erase("bank", ids=[made])
        assert list(store.read()) == []
        assert (tmp_path / "feedback" / f"{FILE}-wal").stat().st_size > 0
        with pytest.raises(FeedbackUnavailable, match="erased, but another process reads"):
            store.erase("bank", ids=[made])  # gone, and its log still there: never a success
        reader.close()
        assert store.sweep() == 0
        assert (tmp_path / "feedback" / f"{FILE}-wal").stat().st_size == 0

    def test_nothing_of_an_erased_record_is_left_in_the_files(self, opened, tmp_path):
        store = opened()
        made = store.add(new())
        store.erase("bank", ids=[made])
        content = b"".join(file.read_bytes() for file in (tmp_path / "feedback").iterdir())
        assert made.encode() not in content
        assert b"card_arrival" not in content

    def test_what_is_too_old_goes_by_itself(self, opened, clock):
        store = opened(retention_days=30)
        store.add(new(0))
        clock.now += 29 * DAY_S
        young = store.add(new(1))
        assert store.sweep() == 0
        clock.now += 2 * DAY_S
        assert store.sweep() == 1
        assert [record.id for record in store.read()] == [young]
        assert [(e.kind, e.records) for e in store.events()] == [("EXPIRED", 1)]

    def test_an_event_is_of_a_tenant_that_the_audit_log_takes(self, opened):
        """One that could not be recorded would stand in the way of all that come after it."""
        store = opened()
        with pytest.raises(ConfigError, match="no tenant is called 'Retail Bank'"):
            store.note("EXPORTED", "Retail Bank", 0)
        assert store.events() == []

    def test_an_event_stays_until_it_is_told(self, opened):
        store = opened()
        store.note("BUILT", "bank", 3)
        events = store.events()
        assert store.events() == events
        store.told(events)
        assert store.events() == []


class TestTampering:
    @pytest.mark.parametrize(
        "change",
        [
            "facts = replace(facts, 'card_arrival', 'lost_card')",
            "facts = replace(facts, 'WRONG', 'RIGHT')",
            "at = at + 1",
            "tenant = 'other'",
            "sealed = zeroblob(length(sealed))",
            "id = 'another'",
        ],
    )
    def test_a_row_that_somebody_changed_is_told(self, opened, tmp_path, change):
        """The label above all: it is what is trained on."""
        store = opened()
        store.add(new())
        with sqlite3.connect(tmp_path / "feedback" / FILE) as other:
            with pytest.raises(sqlite3.IntegrityError, match="never changed"):
                other.execute(f"UPDATE records SET {change}")
            other.execute("DROP TRIGGER appended")
            other.execute(f"UPDATE records SET {change}")
        other.close()
        with pytest.raises(VaultTampered, match="is not what was kept"):
            list(store.read())

    def test_rows_cannot_change_places(self, opened, tmp_path):
        store = opened()
        for number in range(2):
            store.add(new(number))
        with sqlite3.connect(tmp_path / "feedback" / FILE) as other:
            other.execute("DROP TRIGGER appended")
            (a,), (b,) = other.execute("SELECT sealed FROM records ORDER BY number").fetchall()
            other.execute("UPDATE records SET sealed = ? WHERE number = 1", (b,))
            other.execute("UPDATE records SET sealed = ? WHERE number = 2", (a,))
        other.close()
        with pytest.raises(VaultTampered):
            list(store.read())


def test_a_store_of_another_version_or_no_folder_is_refused(opened, tmp_path, keys):
    opened()
    with sqlite3.connect(tmp_path / "feedback" / FILE) as other:
        other.execute("PRAGMA user_version = 9")
    other.close()
    with pytest.raises(ConfigError, match="version 9"):
        opened()
    with pytest.raises(ConfigError, match=r"feedback\.dir is not set"):
        FeedbackStore(FeedbackSettings(), keys)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be used"):
        FeedbackStore(FeedbackSettings(dir=tmp_path / "file"), keys)


WRITER = textwrap.dedent(
    """
    import os, sys, threading
    from pathlib import Path
    sys.path.insert(0, sys.argv[3])
    from test_store import new
    from finslm.config import FeedbackSettings
    from finslm.feedback import FeedbackStore
    from redaction.keys import FileKeys

    folder, seed = Path(sys.argv[1]), sys.argv[2]
    store = FeedbackStore(FeedbackSettings(dir=folder / "feedback"), FileKeys(folder / "keys.json"))
    os.write(1, b"open\\n")

    def work(thread):
        number = 0
        while True:
            os.write(1, (store.add(new(f"{seed}-{thread}-{number}")) + "\\n").encode())
            number += 1

    for thread in range(4):
        threading.Thread(target=work, args=(thread,)).start()
    """
)


def test_sigkill_loses_nothing_that_was_answered(tmp_path, keys):
    """``FINSLM_FEEDBACK_KILLS=200`` is the long form."""
    moment, acked = random.Random(3), set()
    for number in range(KILLS):
        out = tmp_path / f"out{number}"
        with out.open("wb") as sink:
            arguments = [str(tmp_path), str(number), str(Path(__file__).parent)]
            writer = subprocess.Popen([sys.executable, "-c", WRITER, *arguments], stdout=sink)
        while out.read_bytes().count(b"\n") < 8:  # in the midst of writing, however slow the machine is
            assert writer.poll() is None
            time.sleep(0.01)
        time.sleep(moment.uniform(0, 0.2))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        acked |= set(out.read_text().splitlines()[1:])
    store = FeedbackStore(FeedbackSettings(dir=tmp_path / "feedback"), keys)
    assert len(acked) > 10
    assert acked <= {record.id for record in store.read()}
    assert store.holds()["bank"].records == sum(1 for _ in store.read())
    store.close()
