"""A witness policy says exactly whose cosignatures make a quorum, or refuses to be read, with its line."""

from __future__ import annotations

import hashlib
from itertools import chain, combinations
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from finslm.audit.checkpoint import Note, Signer
from finslm.audit.cosignature import Cosigner
from finslm.audit.policy import WitnessPolicy
from finslm.errors import ConfigError

LOG = Signer("bank.example/finslm", Ed25519PrivateKey.from_private_bytes(bytes(32)))
OTHER = Signer("bank.example/other", Ed25519PrivateKey.from_private_bytes(bytes([9] * 32)))
COSIGNERS = {
    name: Cosigner(f"witness.example/{name}", Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)))
    for n, name in enumerate(("X1", "X2", "X3", "Y1", "Y2"), 1)
}
VKEY = {name: cosigner.verifier.vkey() for name, cosigner in COSIGNERS.items()}
ROOT = hashlib.sha256(b"root").digest()
LEVELS = f"""\
# two of one organisation, and one of the other
log {LOG.verifier.vkey()} https://bank.example/log

\twitness X1 {VKEY["X1"]} http://x1.example
witness X2  {VKEY["X2"]}
witness X3 {VKEY["X3"]}
witness Y1 {VKEY["Y1"]}
witness Y2 {VKEY["Y2"]}
group X 2 X1 X2 X3
group Y any Y1 Y2
group both all X Y
quorum both
"""


def parse(text: str | bytes) -> WitnessPolicy:
    return WitnessPolicy.parse(text if isinstance(text, bytes) else text.encode(), "policy.txt")


def test_the_quorum_of_two_levels() -> None:
    """Every one of the 32 sets of witnesses, against the rule written out."""
    policy = parse(LEVELS)
    for names in chain.from_iterable(combinations(COSIGNERS, n) for n in range(6)):
        wanted = len({"X1", "X2", "X3"} & set(names)) >= 2 and bool({"Y1", "Y2"} & set(names))
        assert policy.is_met(names) is wanted
    assert policy.witnesses["X1"].url == "http://x1.example"
    assert [log.name for log in policy.logs] == ["bank.example/finslm"]


def test_the_quorum_is_met_when_the_last_needed_witness_signed() -> None:
    times = {"X1": 50, "X2": 20, "X3": 30, "Y1": 40}
    note = Note.parse(LOG.sign(7, ROOT))
    lines = "".join(COSIGNERS[name].cosign(note.text, time_s).line() for name, time_s in times.items())
    standing = parse(LEVELS).check(Note.parse(LOG.sign(7, ROOT) + lines))
    assert (standing.times, standing.met_at, standing.checkpoint.size) == (times, 40, 7)
    assert parse(LEVELS).check(note).met_at is None


def test_none_is_met_by_nobody() -> None:
    assert parse("quorum none\n").is_met([])
    assert parse(f"log {LOG.verifier.vkey()}\nquorum none\n").check(Note.parse(LOG.sign(1, ROOT))).met_at == 0


def test_a_wrong_line_of_a_known_witness_refuses_the_note() -> None:
    line = COSIGNERS["X1"].cosign(Note.parse(LOG.sign(8, ROOT)).text, 5).line()
    with pytest.raises(ValueError, match="does not match"):
        parse(LEVELS).check(Note.parse(LOG.sign(7, ROOT) + line))


def test_another_logs_checkpoint_is_refused() -> None:
    with pytest.raises(ValueError, match="none of"):
        parse(LEVELS).check(Note.parse(OTHER.sign(7, ROOT)))


W = f"witness X1 {VKEY['X1']}\n"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", None, "no quorum"),
        (W, None, "no quorum"),
        ("quorum none", 1, "does not end"),
        ("quorum none\nquorum none\n", 2, "second quorum"),
        ("quorum X1\n", 1, "'X1'"),
        (f"{W}quorum X2\n", 2, "'X2'"),
        ("quorum\n", 1, "wanted: quorum"),
        ("quorum none none\n", 1, "wanted: quorum"),
        ("qourum none\n", 1, "unknown word 'qourum'"),
        ("quorum none\r\n", 1, "control character"),
        ("quorum none\x0b\n", 1, "control character"),
        ("quorum\xa0none\n", 1, "unknown word"),
        ("\n\nlog\n", 3, "wanted: log"),
        ("log a b c\n", 1, "wanted: log"),
        ("log a\n", 1, "not base64|type 1"),
        (f"log {VKEY['X1']}\n", 1, "type 1"),
        (f"log {LOG.verifier.vkey()}\nlog {LOG.verifier.vkey()}\n", 2, "public key is on a line before"),
        ("witness X1\n", 1, "wanted: witness"),
        (f"witness X1 {LOG.verifier.vkey()}\n", 1, "type 4"),
        (f"witness X1 {VKEY['X1'].replace('+', '+0', 1)}\n", 1, "key id"),
        (f"witness none {VKEY['X1']}\n", 1, "taken"),
        (f"{W}witness X1 {VKEY['X2']}\n", 2, "'X1' is taken"),
        (f"{W}witness X2 {VKEY['X1']}\n", 2, "public key is on a line before"),
        (f"{W}group X1 any X1\n", 2, "'X1' is taken"),
        (f"{W}group none any X1\n", 2, "taken"),
        (f"{W}group g any\n", 2, "wanted: group"),
        (f"{W}group g any g\n", 2, "'g'"),
        (f"{W}group g any none\n", 2, "'none'"),
        (f"{W}group g any X1 X1\n", 2, "member already"),
        (f"{W}group g any X1\ngroup h any X1\n", 3, "member already"),
        (f"{W}group g 0 X1\n", 2, "threshold"),
        (f"{W}group g 2 X1\n", 2, "threshold"),
        (f"{W}group g 01 X1\n", 2, "threshold"),
        (f"{W}group g +1 X1\n", 2, "threshold"),
        (f"{W}group g some X1\n", 2, "threshold"),
        (f"{W}group g any X2\nwitness X2 {VKEY['X2']}\n", 2, "'X2'"),
    ],
)
def test_a_wrong_policy_says_its_line(text: str, line: int | None, what: str) -> None:
    with pytest.raises(ConfigError, match=what) as refused:
        parse(text)
    assert "policy.txt" in str(refused.value)
    if line is not None:
        assert f"line {line}:" in str(refused.value)


def test_a_log_cannot_witness_itself() -> None:
    """The same key under the witness type is the same party."""
    own = Cosigner("witness.example/self", Ed25519PrivateKey.from_private_bytes(bytes(32))).verifier.vkey()
    with pytest.raises(ConfigError, match="line 2"):
        parse(f"log {LOG.verifier.vkey()}\nwitness self {own}\nquorum self\n")


def test_names_need_be_no_utf_8() -> None:
    """Octets are opaque; two that differ are two names."""
    text = b"witness \xff %b\nwitness \xfe %b\ngroup \xe2\x84\xaa all \xff \xfe # x\n" % (
        VKEY["X1"].encode(),
        VKEY["X2"].encode(),
    )
    with pytest.raises(ConfigError, match="'#'"):
        parse(text + b"quorum \xff\n")
    assert len(parse(text.replace(b" # x", b"") + b"# \xff\nquorum \xff\n").witnesses) == 2


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        WitnessPolicy.load(tmp_path / "none")


@given(st.lists(st.sampled_from([*LEVELS.split(), "\n", "\n", " ", "none", "any", "0"])))
def test_any_words_are_a_policy_or_a_config_error(words: list[str]) -> None:
    try:
        policy = parse(" ".join(words) + "\n")
    except ConfigError:
        return
    policy.is_met([])


@given(st.binary())
def test_any_bytes_are_a_policy_or_a_config_error(data: bytes) -> None:
    try:
        parse(data)
    except ConfigError:
        return
