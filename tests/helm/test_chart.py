"""The chart: what it refuses, what it renders, and that nothing it renders may speak to the outside."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from finslm.config import load

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "finslm"
CUSTOM = {"ServiceMonitor", "PrometheusRule"}

Helm = Callable[..., subprocess.CompletedProcess[str]]
Render = Callable[..., list[dict[str, Any]]]


def of_kind(objects: list[dict[str, Any]], kind: str, suffix: str = "") -> dict[str, Any]:
    (found,) = (o for o in objects if o["kind"] == kind and o["metadata"]["name"].endswith(suffix))
    return found


def pods(objects: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every pod template and pod, as {metadata, spec}."""
    for tree in objects:
        if tree["kind"] == "Pod":
            yield tree
        elif "template" in tree.get("spec", {}):
            yield tree["spec"]["template"]


def test_lint_is_strict_and_clean(helm: Helm, values: str) -> None:
    done = helm("lint", "--strict", CHART, "-f", CHART / "ci" / f"{values}-values.yaml")
    assert done.returncode == 0, done.stdout


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_object_is_strictly_valid(render: Render, values: str) -> None:
    objects = render(values)
    assert len(objects) >= 8
    for tree in objects:
        if tree["kind"] not in CUSTOM:
            kubernetes_validate.validate(tree, kubernetes_validate.latest_version(), strict=True)


def test_names_are_unique_and_labels_are_on_everything(render: Render, values: str) -> None:
    seen = [(tree["kind"], tree["metadata"]["name"]) for tree in render(values)]
    assert len(seen) == len(set(seen))
    for tree in render(values):
        assert tree["metadata"]["labels"]["app.kubernetes.io/instance"] == "r"
        assert tree["apiVersion"]


class TestRefusals:
    def test_no_token_secret_is_refused_with_what_to_do(self, helm: Helm) -> None:
        done = helm("template", "r", CHART)
        assert done.returncode != 0
        assert "access.tokensSecret.name is required" in done.stderr
        assert "Make a Secret" in done.stderr

    @pytest.mark.parametrize(
        ("pair", "said"),
        [
            ("typo=1", "'typo' not allowed"),
            ("settings.engine.typo=1", "'typo' not allowed"),
            ("settings.server.host=10.0.0.1", "'host' not allowed"),
            ("settings.engine.max_batch=0", "minimum"),
            ("settings.engine.weights=float16", "pattern"),
            ("modelPull.env.FINSLM_AUDIT__DIR=/tmp", "FINSLM_AUDIT__DIR"),
            ("networkPolicy.callers[0].podLabels.app=x", "missing property 'namespace'"),
            ("image.digest=sha256:abc", "pattern"),
            ("image.tag=latest", "latest is refused"),
            ("modelPull.enabled=true", "modelPull.egress is required"),
            ("tls.clientCaSecretName=ca", "needs tls.secretName"),
            ("replicaCount=-1", "minimum"),
            ("redactionPolicy.named.retail=retail.yaml", "set redactionPolicy.configMapName too"),
            ("metrics.port=80", "minimum"),
        ],
    )
    def test_a_wrong_value_is_refused(self, helm: Helm, pair: str, said: str) -> None:
        done = helm("template", "r", CHART, "-f", CHART / "ci" / "default-values.yaml", "--set", pair)
        assert done.returncode != 0
        assert said in done.stderr

    def test_the_model_job_may_not_be_let_out_to_everywhere(self, helm: Helm) -> None:
        egress = 'modelPull.egress=[{"cidr":"0.0.0.0/0","port":443}]'
        done = helm("template", "r", CHART, "-f", CHART / "ci" / "default-values.yaml", "--set-json", egress)
        assert done.returncode != 0

    def test_mutual_tls_needs_a_certificate_for_the_probes(self, helm: Helm) -> None:
        pairs = ("--set", "tls.secretName=a", "--set", "tls.clientCaSecretName=b")
        done = helm("template", "r", CHART, "-f", CHART / "ci" / "default-values.yaml", *pairs)
        assert "tls.probeSecretName is required" in done.stderr


class TestSchema:
    def test_it_is_what_the_generator_writes_from_the_programs_settings(self) -> None:
        spec = importlib.util.spec_from_file_location("make_schema", ROOT / "helm" / "make_schema.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert module.SCHEMA_FILE.read_text("utf-8") == module.rendered()

    def test_no_object_is_open_unless_its_names_are_labels(self) -> None:
        def walk(node: Any, path: str) -> Iterator[str]:
            if isinstance(node, dict):
                if node.get("type") == "object":
                    rest = node.get("additionalProperties")
                    free = isinstance(rest, dict) and rest.get("type") in ("string", "array")  # of names or labels
                    if rest is not False and not free and node.get("maxProperties") != 0:
                        yield path
                for key, inner in node.items():
                    yield from walk(inner, f"{path}/{key}")
            elif isinstance(node, list):
                for index, inner in enumerate(node):
                    yield from walk(inner, f"{path}/{index}")

        assert list(walk(json.loads((CHART / "values.schema.json").read_text()), "")) == []

    def test_every_value_has_a_place_in_the_readme(self) -> None:
        readme = (CHART / "README.md").read_text()
        for name, value in yaml.safe_load((CHART / "values.yaml").read_text()).items():
            assert f"`{name}" in readme
            for inner in value if isinstance(value, dict) else ():
                assert f"{name}.{inner}" in readme or f"`{name}.*`" in readme, f"{name}.{inner}"


class TestPods:
    def test_every_pod_is_restricted(self, render: Render, values: str) -> None:
        """Pod Security Standards, profile 'restricted', and a root file system nobody writes to."""
        found = list(pods(render(values)))
        assert found
        for pod in found:
            spec = pod["spec"]
            security = spec["securityContext"]
            assert security["runAsNonRoot"] is True
            assert security["runAsUser"] == 65532
            assert security["seccompProfile"] == {"type": "RuntimeDefault"}
            assert security["fsGroupChangePolicy"] == "OnRootMismatch"
            assert spec["automountServiceAccountToken"] is False
            assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
            for container in [*spec["containers"], *spec.get("initContainers", [])]:
                context = container["securityContext"]
                assert context["allowPrivilegeEscalation"] is False
                assert context["readOnlyRootFilesystem"] is True
                assert context["privileged"] is False
                assert context["capabilities"] == {"drop": ["ALL"]}
                assert container["resources"]["limits"]["memory"]
                assert not container["image"].endswith(":latest")
            assert not any("hostPath" in volume for volume in spec.get("volumes", ()))

    def test_service_names_do_not_become_settings(self, render: Render, values: str) -> None:
        """A Service called finslm would give FINSLM_PORT, which the program refuses as an unknown setting."""
        assert all(pod["spec"]["enableServiceLinks"] is False for pod in pods(render(values)))

    def test_the_server_has_the_three_probes_on_the_health_service(self, render: Render) -> None:
        (container,) = of_kind(render("default"), "StatefulSet")["spec"]["template"]["spec"]["containers"]
        for name in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[name]["grpc"] == {"port": 50051}
        assert container["startupProbe"]["failureThreshold"] * container["startupProbe"]["periodSeconds"] >= 300

    @pytest.mark.parametrize("values_name", ["bank", "mtls"])
    def test_with_tls_the_pod_asks_itself_and_the_command_runs(self, render: Render, values_name: str) -> None:
        (container,) = of_kind(render(values_name), "StatefulSet")["spec"]["template"]["spec"]["containers"]
        _, flag, code = container["readinessProbe"]["exec"]["command"]
        done = subprocess.run([sys.executable, flag, code], capture_output=True, text=True)
        assert done.returncode != 0
        assert "/etc/finslm/" in done.stderr  # it got as far as its certificate files, which are in the pod only

    def test_the_log_is_written_by_one_pod_and_outlives_the_release(self, render: Render) -> None:
        objects = render("bank")
        server = of_kind(objects, "StatefulSet")["spec"]
        assert server["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
        (claim,) = server["volumeClaimTemplates"]
        assert (claim["metadata"]["name"], claim["spec"]["accessModes"]) == ("audit", ["ReadWriteOnce"])
        (container,) = server["template"]["spec"]["containers"]
        environment = {e["name"]: e.get("value") for e in container["env"]}
        assert environment["FINSLM_AUDIT__ORIGIN"] == "bank.example/finslm/prod/$(POD_NAME)"
        models = of_kind(objects, "PersistentVolumeClaim")
        assert models["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"

    def test_the_server_cannot_write_its_models(self, render: Render, values: str) -> None:
        (container,) = of_kind(render(values), "StatefulSet")["spec"]["template"]["spec"]["containers"]
        writable = {m["mountPath"] for m in container["volumeMounts"] if not m.get("readOnly")}
        assert writable == {"/var/lib/finslm/audit", "/tmp"}

    def test_the_grace_period_outlasts_the_drain(self, render: Render) -> None:
        spec = of_kind(render("bank"), "StatefulSet")["spec"]["template"]["spec"]
        assert spec["terminationGracePeriodSeconds"] == 45

    def test_the_image_is_the_app_version_or_a_digest(self, render: Render) -> None:
        version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
        images = {c["image"] for pod in pods(render("default")) for c in pod["spec"]["containers"]}
        assert images == {f"finslm:{version}"}
        images = {c["image"] for pod in pods(render("bank")) for c in pod["spec"]["containers"]}
        assert all(f":{version}@sha256:" in image for image in images)


class TestNetwork:
    def policies(self, objects: list[dict[str, Any]], labels: dict[str, str]) -> list[dict[str, Any]]:
        """The specs of the policies that select a pod."""
        specs = [o["spec"] for o in objects if o["kind"] == "NetworkPolicy"]
        return [s for s in specs if s["podSelector"]["matchLabels"].items() <= labels.items()]

    def test_the_server_may_open_no_connection(self, render: Render, values: str) -> None:
        objects = render(values)
        chosen = self.policies(objects, of_kind(objects, "StatefulSet")["spec"]["template"]["metadata"]["labels"])
        assert any({"Ingress", "Egress"} <= set(spec["policyTypes"]) for spec in chosen)
        assert all("egress" not in spec for spec in chosen)

    def test_every_pod_is_closed_first(self, render: Render, values: str) -> None:
        objects = render(values)
        for pod in pods(objects):
            closed = [s for s in self.policies(objects, pod["metadata"]["labels"]) if len(s) == 2]
            assert [s["policyTypes"] for s in closed] == [["Ingress", "Egress"]]

    def test_without_named_callers_only_the_test_pod_comes_in(self, render: Render) -> None:
        objects = render("default", "tests.enabled=false")
        assert [o["metadata"]["name"] for o in objects if o["kind"] == "NetworkPolicy"] == ["r-finslm-deny"]
        (rule,) = of_kind(render("default"), "NetworkPolicy", "-callers")["spec"]["ingress"]
        (peer,) = rule["from"]
        assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "test"

    def test_callers_and_prometheus_reach_one_port_each(self, render: Render) -> None:
        objects = render("bank")
        (rule,) = of_kind(objects, "NetworkPolicy", "-callers")["spec"]["ingress"]
        assert rule["ports"] == [{"protocol": "TCP", "port": "grpc"}]
        assert rule["from"][0] == {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "payments"}},
            "podSelector": {"matchLabels": {"app": "payment-hub"}},
        }
        (rule,) = of_kind(objects, "NetworkPolicy", "-metrics")["spec"]["ingress"]
        assert rule["ports"] == [{"protocol": "TCP", "port": "metrics"}]

    def test_the_model_job_reaches_its_mirror_and_dns_alone(self, render: Render) -> None:
        objects = render("bank")
        job = of_kind(objects, "Job")["spec"]["template"]["metadata"]["labels"]
        (spec,) = (s for s in self.policies(objects, job) if "egress" in s)
        mirror, dns = spec["egress"]
        assert mirror == {
            "to": [{"ipBlock": {"cidr": "10.20.30.40/32"}}],
            "ports": [{"protocol": "TCP", "port": 443}],
        }
        assert {p["port"] for p in dns["ports"]} == {53}
        assert all("ingress" not in s for s in self.policies(objects, job))

    def test_no_rule_anywhere_is_open_to_all(self, render: Render, values: str) -> None:
        for tree in render(values):
            if tree["kind"] == "NetworkPolicy":
                for rule in [*tree["spec"].get("ingress", []), *tree["spec"].get("egress", [])]:
                    assert rule["ports"]
                    assert all(rule.get("from") or rule.get("to"))


def test_the_settings_are_accepted_by_the_program(render: Render, values: str, tmp_path: Path) -> None:
    objects = render(values)
    file = tmp_path / "settings.yaml"
    file.write_text(of_kind(objects, "ConfigMap")["data"]["settings.yaml"])
    (container,) = of_kind(objects, "StatefulSet")["spec"]["template"]["spec"]["containers"]
    environment = {e["name"]: e["value"].replace("$(POD_NAME)", "r-finslm-0") for e in container["env"] if "value" in e}
    secrets = {
        e["name"]: e["valueFrom"]["secretKeyRef"] for e in container["env"] if "secretKeyRef" in e.get("valueFrom", {})
    }
    assert secrets == ({"FINSLM_KEYS__MASTERS": {"name": "finslm-keys", "key": "masters"}} if values == "bank" else {})
    settings = load(file, environment | dict.fromkeys(secrets, "{}"))
    assert settings.keys.source == ("environment" if values == "bank" else "file")
    assert settings.server.host == "0.0.0.0"
    assert settings.audit.origin.endswith("/r-finslm-0")
    mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
    paths = [settings.access.tokens_file, settings.models.dir, settings.audit.dir, settings.redaction.policy_file]
    paths += [settings.vault.file, settings.keys.file, settings.feedback.dir]
    assert (settings.feedback.dir is not None) == (values == "bank")
    for path in [p for p in (*paths, settings.server.tls_cert_file, settings.server.tls_client_ca_file) if p]:
        assert any(path.is_relative_to(mount) for mount in mounts), path
    for path in settings.redaction.policies.values():
        assert path.is_relative_to("/etc/finslm/policy")
    if values == "bank":
        assert settings.redaction.tenant_policies == {"cards": ("retail",), "markets": ("deals", "default")}
        assert (settings.engine.max_batch, settings.server.max_message_bytes) == (32, 2097152)
        assert list(settings.models.approvers) == ["model-risk"]


class TestMonitoring:
    def test_the_monitor_selects_the_service_that_has_the_port(self, render: Render) -> None:
        objects = render("bank")
        monitor = of_kind(objects, "ServiceMonitor")["spec"]
        service = of_kind(objects, "Service", "r-finslm")
        assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert [e["port"] for e in monitor["endpoints"]] == ["metrics"]
        assert "metrics" in {p["name"] for p in service["spec"]["ports"]}
        pods_service = of_kind(objects, "Service", "-pods")  # must not be scraped a second time
        assert not monitor["selector"]["matchLabels"].items() <= pods_service["metadata"]["labels"].items()

    def test_the_rules_are_those_that_promtool_tested(self, render: Render) -> None:
        tested = (ROOT / "deploy" / "prometheus" / "rules.yaml").read_text()
        assert (CHART / "files" / "rules.yaml").read_text() == tested
        assert of_kind(render("bank"), "PrometheusRule")["spec"] == yaml.safe_load(tested)

    def test_they_are_off_by_default(self, render: Render) -> None:
        assert not CUSTOM & {o["kind"] for o in render("default")}
