"""Metrics for Prometheus. vLLM's names where the thing is the same, so that its dashboards and autoscalers work."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Histogram buckets, seconds: from 1 ms, since redaction and audit are fast, to the default deadline."""


class EngineStatistics(Protocol):
    """The counters of an engine."""

    @property
    def running(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def prefill_tokens(self) -> int: ...
    @property
    def reused_tokens(self) -> int: ...
    @property
    def decode_tokens(self) -> int: ...
    @property
    def draft_tokens(self) -> int: ...
    @property
    def accepted_tokens(self) -> int: ...
    @property
    def adapters_loaded(self) -> int: ...
    @property
    def adapter_bytes(self) -> int: ...
    @property
    def adapter_loads(self) -> int: ...
    @property
    def adapter_evictions(self) -> int: ...
    @property
    def cache_used(self) -> float: ...


class Metrics:
    """Every metric, owned by one object; no module globals, so two servers in a process do not collide."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._rpcs = Counter(
            "finslm_requests_total", "RPCs by method and status.", ["method", "code"], registry=registry
        )
        self._rpc_s = Histogram(
            "finslm_request_seconds", "Time of an RPC.", ["method"], buckets=SECONDS, registry=registry
        )
        self._stage_s = Histogram(
            "finslm_stage_seconds", "Time of a stage of the path.", ["stage"], buckets=SECONDS, registry=registry
        )
        self._entities = Counter("finslm_entities_total", "Pieces of data found, by type.", ["type"], registry=registry)
        self._actions = Counter(
            "finslm_actions_total", "Pieces of data by what was done.", ["action"], registry=registry
        )
        self._answers = Counter(
            "finslm_answer_findings_total",
            "What the guard found in answers, by what it is and what was done.",
            ["kind", "type", "action"],
            registry=registry,
        )
        self._refusals = Counter(
            "finslm_refusals_total", "RPCs that failed, by method and reason.", ["method", "reason"], registry=registry
        )
        self._feedback = Counter(
            "finslm_feedback_total", "Corrections kept, by task and verdict.", ["task", "verdict"], registry=registry
        )
        self._first_token_s = Histogram(
            "vllm:time_to_first_token_seconds",
            "Time to first token.",
            ["model_name"],
            buckets=SECONDS,
            registry=registry,
        )
        self._audit_healthy = Gauge("finslm_audit_healthy", "1 while audit records can be written.", registry=registry)
        self._audit_size = Gauge("finslm_audit_tree_size", "Records in the audit log.", registry=registry)
        self._witness_failures = Counter(
            "finslm_witness_failures_total",
            "Times that a witness did not cosign the audit log, by its name in the policy and why.",
            ["witness", "reason"],
            registry=registry,
        )

    def observe_rpc(self, method: str, code: str, duration_s: float, reason: str = "") -> None:
        """Count an RPC that ended; ``reason`` says why it failed."""
        if reason:
            self._refusals.labels(method, reason).inc()
        self._rpcs.labels(method, code).inc()
        self._rpc_s.labels(method).observe(duration_s)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage of the path: redact, prefill (to the first token), decode, tag, read, answer, audit."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._stage_s.labels(name).observe(time.perf_counter() - started)

    def observe_stage(self, name: str, duration_s: float) -> None:
        """Time a stage that a ``with`` block does not fit."""
        self._stage_s.labels(name).observe(duration_s)

    def observe_first_token(self, model: str, duration_s: float) -> None:
        """Time to first token, from entering the engine."""
        self._first_token_s.labels(model).observe(duration_s)

    def count_answer(self, kind: str, type_: str, action: str, count: int) -> None:
        """Count what the guard found in an answer."""
        self._answers.labels(kind, type_, action).inc(count)

    def count_feedback(self, task: str, verdict: str) -> None:
        """Count a correction that was kept."""
        self._feedback.labels(task, verdict).inc()

    def count_entities(self, entities: Mapping[str, int], actions: Mapping[str, int]) -> None:
        """Count what redaction found and did."""
        for kind, count in entities.items():
            self._entities.labels(kind).inc(count)
        for action, count in actions.items():
            self._actions.labels(action).inc(count)

    def watch_audit(self, healthy: Callable[[], bool], size: Callable[[], int]) -> None:
        """Read the audit log's state at each scrape."""
        self._audit_healthy.set_function(lambda: float(healthy()))
        self._audit_size.set_function(lambda: float(size()))

    def watch_witnessing(self, size: Callable[[], int], age_s: Callable[[], float]) -> None:
        """Read at each scrape what the quorum has cosigned; there are no such gauges where nobody is asked."""
        cosigned = Gauge(
            "finslm_witness_cosigned_size",
            "Records of the audit log that the quorum of witnesses has cosigned.",
            registry=self.registry,
        )
        age = Gauge(
            "finslm_witness_age_seconds",
            "For how long the audit log has had records without a quorum; 0: all are cosigned.",
            registry=self.registry,
        )
        cosigned.set_function(lambda: float(size()))
        age.set_function(age_s)

    def count_witness_failure(self, witness: str, reason: str) -> None:
        """Count a witness that did not cosign."""
        self._witness_failures.labels(witness, reason).inc()

    def watch_engine(self, model: str, statistics: Callable[[], EngineStatistics]) -> None:
        """Read the engine's counters at each scrape."""
        self.registry.register(_EngineCollector(model, statistics))


class _EngineCollector:
    """vLLM's names for queue and tokens."""

    def __init__(self, model: str, statistics: Callable[[], EngineStatistics]) -> None:
        self._model, self._statistics = model, statistics

    def describe(self) -> list[Metric]:
        """Nothing to announce: the names are fixed below."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Counters and gauges of this moment."""
        now = self._statistics()
        for name, text, value in (
            ("vllm:num_requests_running", "Requests that share the decode step.", now.running),
            ("vllm:num_requests_waiting", "Requests in the queue.", now.waiting),
            ("vllm:kv_cache_usage_perc", "Share of the cache that running requests hold, 0 to 1.", now.cache_used),
            ("finslm_adapters_loaded", "Adapters in memory.", now.adapters_loaded),
            ("finslm_adapter_bytes", "Memory of the adapters.", now.adapter_bytes),
        ):
            gauge = GaugeMetricFamily(name, text, labels=["model_name"])
            gauge.add_metric([self._model], value)
            yield gauge
        for name, text, value in (
            (
                "vllm:prompt_tokens",
                "Prompt tokens, computed or read from the cache.",
                now.prefill_tokens + now.reused_tokens,
            ),
            ("vllm:prefix_cache_hits", "Prompt tokens that were read from the cache.", now.reused_tokens),
            ("vllm:generation_tokens", "Tokens written.", now.decode_tokens),
            ("vllm:spec_decode_num_draft_tokens", "Tokens guessed ahead.", now.draft_tokens),
            ("vllm:spec_decode_num_accepted_tokens", "Guesses that were right.", now.accepted_tokens),
            ("finslm_adapter_loads", "Adapters read into memory.", now.adapter_loads),
            ("finslm_adapter_evictions", "Adapters that went to make room.", now.adapter_evictions),
        ):
            counter = CounterMetricFamily(name, text, labels=["model_name"])
            counter.add_metric([self._model], value)
            yield counter
