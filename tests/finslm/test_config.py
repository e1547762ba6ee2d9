"""Settings: every value from one tree, and no typo passes."""

from __future__ import annotations

import pytest

from finslm.config import load
from finslm.errors import ConfigError


class TestLoad:
    def test_defaults_serve_loopback_only(self):
        """Nothing set: nobody but this machine can call."""
        settings = load(environ={})
        assert settings.server.host == "127.0.0.1"
        assert settings.server.reflection is False

    def test_environment_goes_before_the_file(self, tmp_path):
        """A variable wins over the same value in YAML; the rest of the file holds."""
        file = tmp_path / "finslm.yaml"
        file.write_text("server: {port: 1000, grace_s: 3}\nengine: {adapters: [a, b]}\n")
        settings = load(file, environ={"FINSLM_SERVER__PORT": "2000"})
        assert (settings.server.port, settings.server.grace_s) == (2000, 3)
        assert settings.engine.adapters == ("a", "b")

    def test_lists_are_written_with_commas(self):
        """And an empty value is an empty list."""
        assert load(environ={"FINSLM_ENGINE__ADAPTERS": "a,b"}).engine.adapters == ("a", "b")
        assert load(environ={"FINSLM_ENGINE__ADAPTERS": ""}).engine.adapters == ()

    def test_mappings_are_written_name_by_name(self):
        """And what is no pair refuses the start."""
        environ = {
            "FINSLM_REDACTION__POLICIES": "retail=/a.yaml, cards=/b.yaml",
            "FINSLM_REDACTION__TENANT_POLICIES": "x=retail",
        }
        redaction = load(environ=environ).redaction
        assert {name: str(path) for name, path in redaction.policies.items()} == {
            "retail": "/a.yaml",
            "cards": "/b.yaml",
        }
        assert redaction.tenant_policies == {"x": ("retail",)}
        with pytest.raises(ConfigError, match="name=value"):
            load(environ={"FINSLM_REDACTION__POLICIES": "retail"})

    def test_a_tenant_has_one_policy_or_a_list(self, tmp_path):
        """The first holds for a call that names none."""
        file = tmp_path / "finslm.yaml"
        file.write_text("redaction: {policies: {retail: r.yaml}, tenant_policies: {a: retail, b: [default, retail]}}")
        assert load(file, environ={}).redaction.tenant_policies == {"a": ("retail",), "b": ("default", "retail")}

    def test_the_file_may_be_named_by_the_environment(self, tmp_path):
        """FINSLM_CONFIG, as the chart sets it."""
        file = tmp_path / "finslm.yaml"
        file.write_text("log: {level: DEBUG}")
        assert load(environ={"FINSLM_CONFIG": str(file)}).log.level == "DEBUG"

    @pytest.mark.parametrize(
        "name", ["FINSLM_TYPO", "FINSLM_SERVER", "FINSLM_SERVER__", "FINSLM_SERVR__PORT", "FINSLM_SERVER__PROT"]
    )
    def test_an_unknown_variable_refuses_the_start(self, name):
        """A typo must not switch a protection off in silence."""
        with pytest.raises(ConfigError):
            load(environ={name: "1"})

    @pytest.mark.parametrize(
        "content",
        [
            "server: {prot: 1}",
            "servr: {}",
            "server: 5",
            "[1]",
            "server: {port: 70000}",
            "log: {level: LOUD}",
            "a: b: c",
            "access: {tokens_file: x}\naccess: {}",
            "redaction: {budget_s: .inf}",
            "redaction: {policies: {default: x.yaml}}",
            "redaction: {policies: {Retail: x.yaml}}",
            "redaction: {tenant_policies: {a: retail}}",
            "redaction: {tenant_policies: {a: []}}",
            "redaction: {tenant_policies: [a]}",
            "\x00",
        ],
    )
    def test_a_bad_file_refuses_the_start(self, tmp_path, content):
        """Unknown names, wrong types, values out of range, and what is not YAML."""
        file = tmp_path / "finslm.yaml"
        file.write_text(content)
        with pytest.raises(ConfigError):
            load(file, environ={})

    def test_an_empty_path_is_refused(self):
        """An empty variable must not switch the token file off, nor mean the working directory."""
        with pytest.raises(ConfigError, match="empty"):
            load(environ={"FINSLM_ACCESS__TOKENS_FILE": ""})

    def test_a_missing_file_is_named(self, tmp_path):
        """The message says which."""
        with pytest.raises(ConfigError, match=r"nothing\.yaml"):
            load(tmp_path / "nothing.yaml", environ={})
