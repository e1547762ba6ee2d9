"""The composition root: settings in, a service out. Every part gets only its own section."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from threading import Thread
from typing import final
from wsgiref.simple_server import WSGIServer

import structlog
from prometheus_client import CollectorRegistry, start_http_server

from finslm.access.principals import Authenticator, build_authenticator
from finslm.approving import Approving
from finslm.audit import AuditLog
from finslm.audit.calls import Appender, CallRecorder, Versions
from finslm.audit.records import Kind, Record
from finslm.audit.witnessing import Guarded, Witnessing
from finslm.auditing import AuditCare, open_log, open_subjects, record_policy
from finslm.config import RedactionSettings, Settings, load
from finslm.correcting import Correcting
from finslm.engine.local import LocalEngine
from finslm.errors import AuditUnavailable, ConfigError, FeedbackUnavailable, FinslmError, VaultUnavailable
from finslm.feedback import FeedbackStore
from finslm.models.approval import Approval
from finslm.pipeline import Pipeline
from finslm.questioning import Ranking
from finslm.redacting import Redacting
from finslm.rpc.errors import verdict_of
from finslm.rpc.server import Server
from finslm.served import Served
from finslm.subjects import SubjectIndex
from finslm.tasks import TASKS
from finslm.telemetry.metrics import Metrics
from finslm.types import Receipt
from finslm.vaulting import open_keys, open_vault
from redaction import Policy, Redactor
from redaction.errors import RedactionError
from redaction.vault import VaultEvent

_log = structlog.get_logger(__name__)

LEAST_CANARY = 8
"""Letters and digits of a word that no answer may hold."""

HEALTH_INTERVAL_S = 1.0
"""How often the service looks at its own parts, seconds."""

CARE_INTERVAL_S = 5.0
"""How often the audit log is looked after, seconds."""

DETECTION_MODELS = ("finance-names",)
"""Models that redaction needs, by registry name."""


@final
@dataclass(frozen=True, slots=True)
class App:
    """Everything a running service consists of."""

    settings: Settings
    audit_log: AuditLog
    redacting: Redacting
    engine: LocalEngine
    pipeline: Pipeline
    server: Server
    metrics: Metrics
    served: Served
    approving: Approving
    again: Callable[[], Settings]
    """Reads the settings again."""
    correcting: Correcting | None = None
    """Keeps feedback; None: it is off."""
    care: AuditCare | None = None
    """What is done for the audit log now and then."""
    witnessing: Witnessing | None = None
    """Has the log cosigned; None: nobody is asked."""
    subjects: SubjectIndex | None = None
    """Keeps whom the calls were about; None: nothing of that is kept."""
    instance: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    """Tells this process's start and stop in a log that many processes write."""

    async def serve(self, on_ready: Callable[[int], None] | None = None) -> None:
        """Serve until SIGTERM or SIGINT: open the port, load the engine, say SERVING; on the way back drain first.

        Args:
            on_ready: called with the gRPC port once health says SERVING.

        Raises:
            ConfigError: a port is taken, or a model cannot be loaded.
        """
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        reloads: set[asyncio.Task[None]] = set()

        def reload() -> None:
            task = asyncio.create_task(self._reload())
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        # In a terminal SIGHUP says that it was closed, and ends the process.
        if sys.stdin is None or not sys.stdin.isatty():
            loop.add_signal_handler(signal.SIGHUP, reload)
        admin, admin_thread = self._serve_metrics()
        await self.server.start()
        try:
            await self.engine.start()
            await self._event("SERVER_STARTED", {"instance": self.instance})
            await record_policy(self.audit_log, self.redacting.redactor.policy.digest)
            await self.approving.record(self.served.approval)
            gc.freeze()  # a million objects that stay: no collection is to walk over them while calls wait
            gc.enable()
            if self.witnessing is not None and self.settings.audit.witness_required:
                await self.witnessing.round()
            await self._say_health()
            _log.info("ready", port=self.server.port, model=self.engine.model.name, version=version("finslm"))
            if on_ready is not None:
                on_ready(self.server.port)
            watching = [asyncio.create_task(work) for work in self._beside()]
            await stop.wait()
            for task in watching:
                task.cancel()
            _log.info("draining")
        finally:
            await self.server.stop()
            await self.engine.close()
            self.close_stores()
            if self.audit_log.healthy:
                await self._event("SERVER_STOPPED", {"instance": self.instance})
                if self.witnessing is not None:
                    await self.witnessing.round()
            await self.audit_log.close()
            admin.shutdown()
            admin_thread.join()
            _log.info("stopped")

    def _beside(self) -> list[Coroutine[None, None, None]]:
        """What goes on beside the calls."""
        work = [self._watch(), self._sweep(), self._care()]
        if self.witnessing is not None:
            work.append(self.witnessing.run(self.settings.audit.witness_interval_s, self._say_health))
        return work

    async def _say_health(self) -> None:
        """SERVING while every part can work, and no required quorum of witnesses is lost."""
        closed = self.witnessing is not None and self.witnessing.refusal is not None
        if closed or not (self.engine.healthy and self.audit_log.healthy):
            await self.server.failed()
        else:
            await self.server.ready()

    async def _reload(self) -> None:
        """Serve the adapters that the settings name now; what cannot be served changes nothing."""
        try:
            changes = await self.served.reload(self.engine, self.again)
        except FinslmError as error:
            _log.error("adapters_not_changed", error_type=type(error).__name__, reason=str(error))
            await self.approving.record(self.served.approval)
            return
        await self.approving.record(self.served.approval)
        for name, before, after in changes:
            await self._event("ADAPTER_CHANGED", {"adapter": name, "before": before, "after": after})
        _log.info("adapters_changed", adapters=[name for name, _, _ in changes])

    async def _watch(self) -> None:
        """Tell the platform when a part has failed for good: an engine or a log that only a restart mends."""
        while self.engine.healthy and self.audit_log.healthy:  # noqa: ASYNC110 - neither part tells of its failure
            await asyncio.sleep(HEALTH_INTERVAL_S)
        await self.server.failed()
        _log.error("unhealthy", where="audit" if self.engine.healthy else "engine")

    async def _care(self) -> None:
        """Look after the audit log, again and again."""
        while self.care is not None:
            try:
                await self.care.look()
            except AuditUnavailable:
                _log.warning("audit_care_not_recorded")
            except Exception as error:  # noqa: BLE001 - one round that fails ends no later one
                _log.error("audit_care_failed", error_type=type(error).__name__)
            await asyncio.sleep(CARE_INTERVAL_S)

    def close_stores(self) -> None:
        """Let go of the vault and of the stores of feedback and of data subjects."""
        self.redacting.close()
        for store in (self.correcting, self.subjects):
            if store is not None:
                store.close()

    async def _sweep(self) -> None:
        """Erase what has expired, and put what was done to the vault and with feedback on record, again and again.

        A store that is away for a while is told of and tried again.
        """
        while True:
            await asyncio.sleep(self.settings.vault.sweep_interval_s)
            try:
                if gone := await self.redacting.sweep():
                    _log.info("sessions_erased", count=gone)
                await self.redacting.record_events(self._vault_event)
                if self.correcting is not None:
                    await self._sweep_feedback(self.correcting)
            except VaultUnavailable:
                _log.warning("vault_not_swept")
            except FeedbackUnavailable:
                _log.warning("feedback_not_swept")
            except AuditUnavailable:
                _log.warning("vault_events_not_recorded")
            except Exception as error:  # noqa: BLE001 - one thing that cannot be recorded ends no later sweep
                _log.error("sweep_failed", error_type=type(error).__name__)

    async def _sweep_feedback(self, correcting: Correcting) -> None:
        """Erase what is too old; an event leaves the store when it is on record, as one of the vault does."""
        await correcting.sweep()
        while events := await correcting.events():
            for event in events:
                facts = {"id": event.id, "records": str(event.records)}
                await self.audit_log.append(
                    Record(kind=Kind.EVENT, event=f"FEEDBACK_{event.kind}", tenant=event.tenant, details=facts)
                )
            await correcting.recorded(events)

    def _serve_metrics(self) -> tuple[WSGIServer, Thread]:
        admin = self.settings.admin
        try:
            return start_http_server(admin.port, addr=admin.host, registry=self.metrics.registry)
        except OSError as error:
            raise ConfigError(
                f"cannot serve metrics on {admin.host}:{admin.port}: {error.strerror}; set admin.port"
            ) from error

    async def _vault_event(self, event: VaultEvent) -> None:
        facts = {"id": event.id, "sessions": str(event.sessions)} | ({"key": event.key_id} if event.key_id else {})
        await self.audit_log.append(
            Record(kind=Kind.EVENT, event=f"VAULT_{event.kind}", tenant=event.tenant, details=facts)
        )

    async def _event(self, name: str, details: Mapping[str, str] | None = None) -> None:
        known = {"version": version("finslm"), **(details or {})}
        await self.audit_log.append(Record(kind=Kind.EVENT, event=name, details=known))


def build(settings: Settings, again: Callable[[], Settings] = load) -> App:
    """Put the service together. Opens the audit log and checks it; begins to load the weights; opens no connection.

    Call it in the running event loop that is to serve: grpc binds its server to that loop.

    Args:
        settings: of every part.
        again: reads them again, for what SIGHUP changes.

    Raises:
        ConfigError: a setting, the policy, the token file or a model folder cannot be used, or a model is not approved.
        UnknownModel: a model is not installed; the message says the command that installs it.
        AuditCorrupt: the audit log does not match its own hashes; it names the first wrong record.
    """
    authenticator = build_authenticator(settings.access, settings.server.host)
    approval = Approval.open(settings.models)
    base = approval.admit(settings.engine.model)
    adapters = [approval.admit(name) for name in settings.engine.adapters]
    detection = [approval.admit(name) for name in DETECTION_MODELS]
    encoder = approval.admit(settings.engine.encoder) if settings.engine.encoder else None
    ranker = approval.admit(settings.engine.ranker) if settings.engine.ranker else None
    ranking = None if ranker is None or encoder is None else Ranking.open(ranker, encoder)
    bases, rankers = [base, *([encoder] if encoder else [])], [ranker] if ranker else []
    served = Served(approval, bases, adapters, detection, rankers)
    engine = LocalEngine(
        base.path,
        base.identity,
        {a.identity.name: (a.path, a.identity) for a in adapters},
        settings.engine,
        encoder_dir=None if encoder is None else encoder.path,
    )
    engine.begin()  # weights and networks take as long as all that follows, and another processor
    try:
        return _around(engine, settings, again, authenticator, served, ranking)
    except BaseException:
        engine.abandon()
        raise


def _around(
    engine: LocalEngine,
    settings: Settings,
    again: Callable[[], Settings],
    authenticator: Authenticator,
    served: Served,
    ranking: Ranking | None,
) -> App:
    """Everything else of the service."""
    metrics = Metrics(CollectorRegistry())
    keys = open_keys(settings.keys)
    vault = open_vault(settings, keys)
    policies = _policies(settings.redaction)
    redacting = Redacting(
        _redactor(settings), settings.redaction, metrics, vault, policies, keys, _canaries(settings.redaction)
    )
    audit_log = open_log(settings.audit)
    witnessing = Witnessing.open(settings.audit, audit_log, metrics)
    approving = Approving(audit_log, served.approval, settings.models.stages_reset)
    metrics.watch_audit(lambda: audit_log.healthy, lambda: audit_log.known_size)
    metrics.watch_engine(engine.model.name, engine.statistics)
    redactor = redacting.redactor
    versions = Versions(redactor.policy.digest, redactor.digest, engine.model)
    log = audit_log if witnessing is None else Guarded(audit_log, witnessing)
    recorder = CallRecorder(_Timed(log, metrics), versions, verdict_of)
    correcting = None
    if settings.feedback.dir is not None:
        store = FeedbackStore(settings.feedback, keys)
        correcting = Correcting(redacting, store, settings.feedback, served.labels, audit_log, metrics)
    subjects = open_subjects(settings.audit, keys)
    pipeline = Pipeline(redacting, TASKS, engine, recorder, served.views, metrics, correcting, ranking, subjects)
    server = Server(settings, pipeline, authenticator, audit_log, metrics)
    care = AuditCare(audit_log, settings.audit)
    parts = (settings, audit_log, redacting, engine, pipeline, server, metrics, served, approving, again)
    return App(*parts, correcting, care, witnessing, subjects)


@final
class _Timed:
    """The audit log, each append timed as stage ``audit`` of the path."""

    def __init__(self, log: Appender, metrics: Metrics) -> None:
        self._log, self._metrics = log, metrics

    async def append(self, record: Record) -> Receipt:
        """Append; see :meth:`finslm.audit.AuditLog.append`."""
        with self._metrics.stage("audit"):
            return await self._log.append(record)


def _redactor(settings: Settings) -> Redactor:
    try:
        chosen = settings.redaction
        return Redactor.from_policy(chosen.policy_file, budget_s=chosen.budget_s, threads=chosen.classifier_threads)
    except RedactionError as error:
        raise ConfigError(str(error)) from error


def _canaries(settings: RedactionSettings) -> tuple[str, ...]:
    """The words of the canaries' file.

    Raises:
        ConfigError: it cannot be read, or a word is so short that answers would be refused by chance.
    """
    if settings.canaries_file is None:
        return ()
    try:
        lines = settings.canaries_file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"redaction.canaries_file {settings.canaries_file}: {type(error).__name__}: it cannot be read"
        ) from None
    words = tuple(line.strip() for line in lines if line.strip())
    for number, line in enumerate(lines, 1):
        if line.strip() and sum(map(str.isalnum, line)) < LEAST_CANARY:
            raise ConfigError(
                f"redaction.canaries_file line {number}: fewer than {LEAST_CANARY} letters and digits: "
                "answers would hold it by chance"
            )
    return words


def _policies(settings: RedactionSettings) -> dict[str, Policy]:
    try:
        return {name: Policy.load(path) for name, path in settings.policies.items()}
    except RedactionError as error:
        raise ConfigError(str(error)) from error


def run(settings: Settings, again: Callable[[], Settings] = load) -> None:
    """Build and serve; the body of ``finslm serve``. See :func:`build`."""

    async def serve() -> None:
        await build(settings, again).serve()

    asyncio.run(serve())


def check(settings: Settings) -> None:
    """Build, load the weights and end: what ``finslm serve --check`` does."""

    async def build_and_close() -> None:
        app = build(settings)
        try:
            await app.engine.start()
        finally:
            await app.engine.close()
            app.close_stores()
            await app.audit_log.close()

    asyncio.run(build_and_close())
