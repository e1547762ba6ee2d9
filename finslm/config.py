"""Settings: one frozen tree, and the only reader of the environment.

Values come from ``FINSLM_<SECTION>__<FIELD>`` variables, then from the YAML file that
``FINSLM_CONFIG`` or ``--config`` names, then from the defaults below. An unknown name anywhere,
environment included, refuses the start: a typo must not switch a protection off.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from finslm.errors import ConfigError
from redaction import strict_yaml
from redaction.ner.weights import default_models_dir

ENV_PREFIX = "FINSLM_"
CONFIG_VARIABLE = "FINSLM_CONFIG"

DEFAULT_POLICY = "default"
"""How calls and ``tenant_policies`` name the policy of ``redaction.policy_file``."""

Approver = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=( until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)?$")]
PolicyName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
ConsentBasis = Annotated[str, Field(pattern=r"^[A-Z][A-Z_]{0,31}$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


class ServerSettings(_Section):
    """The gRPC listener."""

    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback needs ``access.tokens_file``."""
    port: int = Field(50051, ge=0, le=65535)
    """TCP port; 0 lets the system choose (the chosen one is logged and written to ``port_file``)."""
    port_file: Path | None = None
    """Where to write ``host:port`` once the listener is open."""
    reflection: bool = False
    """Serve gRPC reflection: for development; off in the chart."""
    max_message_bytes: int = Field(1 << 20, ge=1024)
    """Largest request message, bytes."""
    max_text_chars: int = Field(32_768, ge=1)
    """Longest text of one request, Unicode code points."""
    max_concurrent_rpcs: int = Field(256, ge=1)
    """RPCs in progress; more are refused with RESOURCE_EXHAUSTED."""
    min_deadline_s: float = Field(0.01, ge=0)
    """A deadline shorter than this is refused before any work, seconds."""
    default_deadline_s: float = Field(60.0, gt=0)
    """Deadline for a caller that sets none, seconds."""
    grace_s: float = Field(20.0, ge=0)
    """On SIGTERM, calls in progress get this long to end, seconds."""
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None
    tls_client_ca_file: Path | None = None
    """With it, clients must present a certificate signed by this CA."""


class AdminSettings(_Section):
    """The HTTP port for ``/metrics``."""

    host: str = "127.0.0.1"
    port: int = Field(9464, ge=0, le=65535)


class AccessSettings(_Section):
    """Who may call."""

    tokens_file: Path | None = None
    """YAML: principal name → SHA-256 (hex) of its bearer token. Without it, only loopback is served."""


class RedactionSettings(_Section):
    """What is found and what stands in its place."""

    policy_file: Path | None = None
    """Policy YAML; the built-in finance policy when not set. Calls name it ``default``."""
    policies: Mapping[PolicyName, Path] = Field(default_factory=dict)
    """Further policies: name → policy YAML."""
    tenant_policies: Mapping[str, tuple[PolicyName, ...]] = Field(default_factory=dict)
    """Tenant → the policies it may use, by name; the first holds for a call that names none. One needs no list.
    A tenant that is not here has ``default`` and no other."""
    canaries_file: Path | None = None
    """Words that no answer may hold, one a line, such as those planted in training data or in a prompt to be found if
    they get out; at least eight letters and digits each. What is done with one, the policy's ``answer.echoes`` says."""
    session_ttl_s: float = Field(900.0, gt=0)
    """How long Restore works after Redact, seconds."""
    max_sessions: int = Field(10_000, ge=1)
    """Sessions the in-memory vault keeps; the oldest goes first."""
    budget_s: float = Field(20.0, gt=0)
    """Time detection may take for one text before the call is refused, seconds."""
    threads: int = Field(1, ge=1)
    """Threads that detect."""
    classifier_threads: int = Field(1, ge=1)
    """Windows of one text that the name classifier computes at the same time: long texts are ready sooner."""

    @field_validator("policies")
    @classmethod
    def _not_default(cls, policies: Mapping[str, Path]) -> Mapping[str, Path]:
        if DEFAULT_POLICY in policies:
            raise ValueError(f"{DEFAULT_POLICY} is the policy of policy_file: give this one another name")
        return policies

    @field_validator("tenant_policies", mode="before")
    @classmethod
    def _one_or_more(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return {tenant: (names,) if isinstance(names, str) else names for tenant, names in given.items()}

    @model_validator(mode="after")
    def _tenants_have_policies(self) -> RedactionSettings:
        known = {DEFAULT_POLICY, *self.policies}
        for tenant, names in self.tenant_policies.items():
            if not names:
                raise ValueError(f"tenant_policies: {tenant[:64]} may use none: nobody of it could call")
            if unknown := sorted({*names} - known):
                raise ValueError(f"tenant_policies: no policy {unknown[0]}; known: {', '.join(sorted(known))}")
        return self


class EngineSettings(_Section):
    """The model and how it runs."""

    model: str = "smollm2-135m-instruct"
    encoder: str = "all-minilm-l6-v2"
    """The second base, which classification adapters may sit on; it is read when the first of them is. Empty: none."""
    adapters: tuple[str, ...] = ("intent", "sentiment", "tfns-sentiment", "extract-payment", "summarise")
    ranker: str = "qa"
    """What finds the evidence of an answer, by what the second base reads. Empty: Answer is off."""
    runner: str = Field("auto", pattern="^(auto|openvino|torch)$")
    """What computes: ``openvino`` on processors, ``torch`` on a GPU and for decoders that are not of the Llama kind;
    ``auto`` takes torch where a GPU is and OpenVINO elsewhere."""
    weights: str = Field("auto", pattern="^(auto|int8|bfloat16|float32)$")
    """Number format of the matrices; ``auto``: int8 on OpenVINO, bfloat16 on torch where the hardware computes in it.
    OpenVINO knows int8 and float32, torch bfloat16 and float32."""
    threads: int = Field(0, ge=0)
    """Threads of a step; 0: as many as this process may use processors (cgroup limit included). They give way to the
    threads that answer calls, redact and write the log."""
    max_batch: int = Field(32, ge=1)
    """Generations that run at once."""
    read_tokens: int = Field(256, ge=32)
    """Tokens of a step in which prompts are read, those of running answers included: more and prompts are read sooner,
    fewer and answers stutter less."""
    draft_tokens: int = Field(4, ge=0, le=16)
    """Tokens guessed by looking up how the same words went on before, and checked in one step, while few answers run;
    0: none. The answers are the same, sooner where they repeat the text: fields, summaries."""
    cache_mib: int = Field(768, ge=1)
    """Memory of the key-value cache, MiB; what no running request needs keeps the beginnings of earlier prompts."""
    adapter_mib: int = Field(512, ge=1)
    """Memory of adapters, MiB; the longest unused goes first and is read again when a request names it."""
    max_queue: int = Field(128, ge=1)
    """Requests waiting; one more is refused with RESOURCE_EXHAUSTED."""
    max_context_tokens: int = Field(2048, ge=16)
    """Prompt and answer together, tokens."""
    max_new_tokens: int = Field(512, ge=1)
    """Upper limit of a request's ``max_tokens``."""

    @model_validator(mode="after")
    def _read(self) -> EngineSettings:
        if self.ranker and not self.encoder:
            raise ValueError("ranker needs an encoder that reads for it: set engine.encoder, or empty engine.ranker")
        return self


class ModelsSettings(_Section):
    """Where model folders are, and whose word makes a version fit to be served (docs/models.md)."""

    dir: Path = Field(default_factory=default_models_dir)
    serve: str = Field("approved", pattern="^(approved|any)$")
    """``approved``: what the release brings or pins, and what was promoted. ``any``: candidates too."""
    approvers: Mapping[PolicyName, Approver] = Field(default_factory=dict)
    """Who may promote and retire: name → Ed25519 public key, base64, as ``finslm models key`` prints it. Of one who
    has left: ``KEY until 2026-01-31T00:00:00Z``, which keeps older decisions good."""
    origin: str = Field("finslm.local/models", pattern=r"^[A-Za-z0-9._~/-]{1,128}$")
    """Name of this models folder, signed into each decision: none of a test system's counts in production."""
    unsigned_stages: bool = False
    """Take promotions that nobody signed. For trials: who can write to the folder can promote."""
    stages_reset: str = Field("", pattern="^([0-9a-f]{64})?$")
    """Head of a stage log that does not go on from what the audit log has seen, to be accepted all the same."""

    @model_validator(mode="after")
    def _signed_or_not(self) -> ModelsSettings:
        if self.approvers and self.unsigned_stages:
            raise ValueError("unsigned_stages would let anybody do what models.approvers keeps for a few: drop one")
        return self


class RetentionSettings(_Section):
    """How long the audit log keeps records; nothing ever goes unless all three are set."""

    calls_days: int | None = Field(None, ge=1)
    """Calls that were admitted."""
    refusals_days: int | None = Field(None, ge=1)
    """Calls that were refused before they were admitted."""
    events_days: int | None = Field(None, ge=1)
    """What the operator did."""
    interval_s: float = Field(86_400.0, gt=0)
    """What is past its time goes this often, seconds."""


class AuditSettings(_Section):
    """The audit log."""

    dir: Path = Path(".var/audit")
    origin: str = Field("finslm.local/audit", pattern=r"^[A-Za-z0-9._~/-]{1,128}$")
    """Name of this log in its checkpoints (C2SP tlog-checkpoint origin line)."""
    checkpoint_interval_s: float = Field(1.0, gt=0)
    """A signed checkpoint is written this long after the last one when the tree has grown, seconds."""
    store: str = Field("files", pattern="^(files|postgres)$")
    """``files``: in ``dir``, written by one process. ``postgres``: in a database, for many replicas; ``dir`` then has
    the signing key only, and all replicas need the same one."""
    dsn_file: Path | None = None
    """Of ``postgres``: a file with the connection string (libpq), which may hold a password."""
    readers: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    """Principal → the tenants whose records it may read through AuditService; ``*``: all, and what is of no tenant.
    On a server without tokens the local caller may read all; on any other, who is not here may read nothing."""

    reserve_mb: int = Field(16, ge=0)
    """Room on the disk that is kept for the log, MiB: when no more than this is free, calls are refused, and those in
    progress still get their records. 0: none is kept."""
    segment_records: int = Field(65_536, ge=1024)
    """Records of one file, or of one piece of a database: what retention takes away at once."""
    clock_interval_s: float = Field(3600.0, gt=0)
    """How often the machine's clock is looked at, seconds."""
    tiles_dir: Path | None = None
    """Folder that is kept up to the log in the layout of C2SP tlog-tiles, for monitors and for storage that writes
    once."""
    retention: RetentionSettings = RetentionSettings()
    subjects_file: Path | None = None
    """Store of who the calls were about, as keyed hashes outside the log, for requests of data subjects (search,
    erasure); made where there is none. None: nothing of that is kept, and no such request can be answered from
    here."""

    witness_policy_file: Path | None = None
    """Who must cosign the log (C2SP tlog-policy), and where they are asked; None: nobody. The one thing that makes
    the service open connections: it sends each witness the log's name, size, hashes and signature, no more."""
    witness_interval_s: float = Field(10.0, gt=0)
    """The witnesses are asked this often while the log grows, seconds."""
    witness_max_age_s: float = Field(900.0, gt=0)
    """The log may grow for this long without a quorum of cosignatures before that is an incident, seconds."""
    witness_required: bool = False
    """Whether calls are then refused until the quorum is back; else it is told and recorded, and calls go on."""

    @model_validator(mode="after")
    def _reachable(self) -> AuditSettings:
        if self.store == "postgres" and self.dsn_file is None:
            raise ValueError("store postgres needs audit.dsn_file, a file with the connection string")
        return self

    @model_validator(mode="after")
    def _witnessed(self) -> AuditSettings:
        if self.witness_required and self.witness_policy_file is None:
            raise ValueError("witness_required needs audit.witness_policy_file, which names the witnesses")
        if self.witness_max_age_s < 2 * self.witness_interval_s:
            raise ValueError("witness_max_age_s: at least twice witness_interval_s, so that one miss is no incident")
        return self


class VaultSettings(_Section):
    """Where the values live that Redact replaced, until they are restored or their time is up."""

    store: str = Field("sqlite", pattern="^(memory|sqlite|postgres)$")
    """``sqlite``: a file, for one process or several of one host. ``postgres``: a database, for many replicas.
    ``memory``: gone with the process. What is stored is encrypted, see ``keys``."""
    file: Path = Path(".var/vault/vault.sqlite")
    """Of ``sqlite``; made where there is none."""
    dsn_file: Path | None = None
    """Of ``postgres``: a file with the connection string (libpq), which may hold a password."""
    sweep_interval_s: float = Field(60.0, gt=0)
    """What has expired is erased this often, seconds."""

    @model_validator(mode="after")
    def _reachable(self) -> VaultSettings:
        if self.store == "postgres" and self.dsn_file is None:
            raise ValueError("store postgres needs vault.dsn_file, a file with the connection string")
        return self


class KeysSettings(_Section):
    """The master keys that the vault's keys, and those of operators, hang on."""

    source: str = Field("file", pattern="^(file|environment|pkcs11)$")
    """``file``: ``keys.file``. ``environment``: ``keys.masters``, for a secret that the platform injects. ``pkcs11``: a
    hardware security module, which the keys never leave."""
    file: Path = Path(".var/keys/keys.json")
    """Made with a new key where there is none. Keep it apart from the vault's backups: who has both can read them."""
    masters: SecretStr | None = None
    """What else the file would hold: ``{"current": ID, "derive": ID, "keys": {ID: 32 bytes in base64}}``."""

    module_file: Path | None = None
    """Of ``pkcs11``: the vendor's library."""
    token: str = ""
    """Of ``pkcs11``: label of the token."""
    pin_file: Path | None = None
    """Of ``pkcs11``: a file with the user's PIN."""
    current: str = ""
    """Of ``pkcs11``: label of the AES key that wraps from now on; older ones are found by theirs."""
    derive: str = ""
    """Of ``pkcs11``: label of the generic secret key for operators; it stays when ``current`` changes."""

    @model_validator(mode="after")
    def _given(self) -> KeysSettings:
        if self.source == "pkcs11" and not all(
            (self.module_file, self.token, self.pin_file, self.current, self.derive)
        ):
            raise ValueError("source pkcs11 needs module_file, token, pin_file, current and derive")
        if (self.source == "environment") != (self.masters is not None):
            raise ValueError("keys.masters belongs to source environment, and is needed there")
        return self


class FeedbackSettings(_Section):
    """Corrections of users, kept to train on. Off unless ``dir`` is set."""

    dir: Path | None = None
    """Folder of the store; made where there is none. What is kept is redacted, and sealed with keys from ``keys``."""
    consent_bases: tuple[ConsentBasis, ...] = ("CONSENT", "CONTRACT", "LEGITIMATE_INTEREST", "TEST_DATA")
    """Bases on which a text may be kept (GDPR article 6(1) has the first three); feedback on any other is refused."""
    new_labels: bool = False
    """Keep corrections whose label the task does not have yet; building a training set leaves them out unless told."""
    retention_days: float = Field(365.0, gt=0)
    """What is older is erased."""
    max_records: int = Field(100_000, ge=1)
    """Records that a tenant may have."""
    max_mib: int = Field(256, ge=1)
    """Sealed text that a tenant may have, MiB."""
    max_a_day: int = Field(2_000, ge=1)
    """Records that one principal may add in 24 hours: so that nobody alone floods what is trained on."""

    @field_validator("consent_bases")
    @classmethod
    def _some(cls, bases: tuple[str, ...]) -> tuple[str, ...]:
        if not bases:
            raise ValueError("consent_bases is empty: nothing could be kept; leave feedback.dir out instead")
        return bases


class LogSettings(_Section):
    """Logs: JSON lines on standard output, never with text of a request."""

    level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")


class Settings(_Section):
    """The whole tree."""

    server: ServerSettings = ServerSettings()
    admin: AdminSettings = AdminSettings()
    access: AccessSettings = AccessSettings()
    redaction: RedactionSettings = RedactionSettings()
    engine: EngineSettings = EngineSettings()
    models: ModelsSettings = Field(default_factory=ModelsSettings)
    audit: AuditSettings = AuditSettings()
    vault: VaultSettings = VaultSettings()
    keys: KeysSettings = KeysSettings()
    feedback: FeedbackSettings = FeedbackSettings()
    log: LogSettings = LogSettings()


def load(file: Path | None = None, environ: dict[str, str] | None = None) -> Settings:
    """Read the settings.

    Args:
        file: YAML file; ``FINSLM_CONFIG`` when None.
        environ: the environment; the process's own when None.

    Raises:
        ConfigError: unreadable file, unknown name, or a value out of its range.
    """
    env = dict(os.environ) if environ is None else environ
    name = file or (Path(env[CONFIG_VARIABLE]) if env.get(CONFIG_VARIABLE) else None)
    tree = _read_yaml(name) if name else {}
    for key, value in sorted(env.items()):
        if key.startswith(ENV_PREFIX) and key != CONFIG_VARIABLE:
            _put(tree, key, value)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"settings: {problems}") from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = strict_yaml.load(path.read_text("utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"settings file {path}: {error}") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"settings file {path}: a mapping of sections is wanted, got {type(tree).__name__}")
    return tree


def _put(tree: dict[str, Any], key: str, value: str) -> None:
    """Set ``FINSLM_A__B=value`` as ``tree["a"]["b"]``; lists are written ``x,y``, mappings ``k=x,l=y``."""
    section, _, name = key.removeprefix(ENV_PREFIX).lower().partition("__")
    if section not in Settings.model_fields or not name:
        known = ", ".join(f"{ENV_PREFIX}{s.upper()}__…" for s in Settings.model_fields)
        raise ConfigError(f"environment variable {key} is not known; known: {CONFIG_VARIABLE}, {known}")
    part = tree.setdefault(section, {})
    if not isinstance(part, dict):
        raise ConfigError(f"settings: section {section} must be a mapping")
    if not value and (name.endswith(("_file", "_dir")) or name == "dir"):
        raise ConfigError(f"environment variable {key} is empty: give a path, or unset it")
    items = [item.strip() for item in value.split(",") if item.strip()]
    kind = _kind(section, name)
    if kind is Mapping:
        pairs = [item.partition("=") for item in items]
        if wrong := [pair for pair in pairs if not (pair[0] and pair[1] and pair[2])]:
            raise ConfigError(f"environment variable {key}: {len(wrong)} of its parts are not name=value")
        part[name] = {left.strip(): right.strip() for left, _, right in pairs}
    else:
        part[name] = items if kind is tuple else value


def _kind(section: str, name: str) -> Any:
    """``tuple`` or ``Mapping`` for the settings that are one."""
    model = Settings.model_fields[section].annotation
    field = getattr(model, "model_fields", {}).get(name)
    return None if field is None else get_origin(field.annotation)
