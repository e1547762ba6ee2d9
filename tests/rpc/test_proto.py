"""The API's own files: linted, stubs up to date, and usable by a foreign client that knows only reflection."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import descriptor_pb2
from google.rpc.error_details_pb2 import ErrorInfo

from finslm.errors import ConfigError
from finslm.rpc.errors import STATUS
from finslm.types import SamplingOverrides, SamplingParams
from finslm.v1 import audit_pb2, common_pb2, feedback_pb2, inference_pb2, models_pb2, redaction_pb2

ROOT = Path(__file__).resolve().parents[2]
BUF = Path(sys.executable).parent / "buf"
FILES = (audit_pb2, common_pb2, feedback_pb2, inference_pb2, models_pb2, redaction_pb2)


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_buf_lint_is_clean() -> None:
    done = run(BUF, "lint")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_protos_are_formatted() -> None:
    done = run(BUF, "format", "--diff", "--exit-code", "--path", "proto/finslm")
    assert (done.returncode, done.stdout) == (0, "")


def test_committed_stubs_are_those_of_the_protos() -> None:
    done = run(sys.executable, "scripts/gen_protos.py", "--check")
    assert done.returncode == 0, done.stderr


def test_check_notices_a_difference(tmp_path: Path) -> None:
    """The check above can fail: on a copy of the tree whose proto has one field more, it does."""
    for name in ("proto", "scripts", "finslm/v1"):
        for file in (ROOT / name).rglob("*.*"):
            if file.is_file() and "__pycache__" not in file.parts:
                copy = tmp_path / file.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(file.read_bytes())
    proto = tmp_path / "proto/finslm/v1/common.proto"
    proto.write_text(proto.read_text().replace("message Usage {", "message Usage {\n  uint32 more = 9;"))
    done = run(sys.executable, tmp_path / "scripts/gen_protos.py", "--check")
    assert done.returncode == 1
    assert "common_pb2.py" in done.stderr


def test_what_a_caller_may_set_is_what_the_api_offers_and_never_probabilities() -> None:
    """Probabilities of tokens would go past the judging and restoring of the answer: their names are taken."""
    descriptor = inference_pb2.SamplingParams.DESCRIPTOR
    assert {field.name for field in descriptor.fields} == set(SamplingOverrides.__annotations__)
    parameters = {field.name for field in dataclasses.fields(SamplingParams)}
    assert parameters - set(SamplingOverrides.__annotations__) == {"logprobs"}
    proto = descriptor_pb2.DescriptorProto()
    descriptor.CopyToProto(proto)
    assert set(proto.reserved_name) == {"logprobs", "top_logprobs"}


def test_every_method_has_its_own_request_with_a_request_id() -> None:
    """AIP-155."""
    methods = [m for f in FILES for s in f.DESCRIPTOR.services_by_name.values() for m in s.methods]
    assert len(methods) == 18
    assert {m.input_type.name for m in methods} == {f"{m.name}Request" for m in methods}
    assert all("request_id" in m.input_type.fields_by_name for m in methods)


def test_every_reason_says_its_status() -> None:
    """And it is the one that the table gives, where a class of the tree has the reason."""
    text = (ROOT / "proto/finslm/v1/common.proto").read_text("utf-8")
    entries = re.findall(r"((?:  //.*\n)+)  ERROR_REASON_([A-Z_]+) =", text)
    said = {name: comment.strip().removeprefix("// ").split()[0].strip(",.") for comment, name in entries}
    assert said.keys() == {name.removeprefix("ERROR_REASON_") for name in common_pb2.ErrorReason.keys()}
    assert said.pop("UNSPECIFIED") == "Never"
    assert set(said.values()) <= {code.name for code in grpc.StatusCode}
    table = {cls.reason: code.name for cls, code in STATUS.items() if cls is not ConfigError}
    assert {reason: said[reason] for reason in table} == table


class TestForeignClient:
    """``buf curl``: another implementation of gRPC (Go), which learns the API from the server itself."""

    @staticmethod
    async def curl(address: str, method: str, body: dict[str, Any]) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(str(BUF), "curl", "--protocol", "grpc", "--http2-prior-knowledge", "--verbose"),
            *("--data", json.dumps(body), f"http://{address}/finslm.v1.{method}"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode or 0, out.decode(), err.decode()

    async def test_unary(self, serve: Any) -> None:
        async with serve(reflection=True) as running:
            status, out, err = await self.curl(running.address, "InferenceService/Generate", {"text": "hello"})
            assert status == 0, err
            answer = json.loads(out)
            assert (answer["text"], answer["finishReason"]) == ("hello", "FINISH_REASON_STOP")
            assert "finslm-receipt-bin" in err.lower()

    async def test_stream(self, serve: Any) -> None:
        async with serve(reflection=True) as running:
            status, out, err = await self.curl(running.address, "InferenceService/GenerateStream", {"text": "one two"})
            assert status == 0, err
            lines = json.loads("[" + re.sub(r"}\s*{", "},{", out) + "]")
            assert [line.get("textDelta") for line in lines] == ["one", "two", None]
            assert lines[-1]["summary"]["finishReason"] == "FINISH_REASON_LENGTH"

    async def test_refusal_with_details(self, serve: Any) -> None:
        async with serve(reflection=True) as running:
            status, _, err = await self.curl(running.address, "RedactionService/Redact", {"text": ""})
            assert status != 0
            assert '"code": "invalid_argument"' in err
            encoded = re.search(r'"google.rpc.ErrorInfo",\s*"value": "([^"]+)"', err)
            assert encoded is not None
            info = ErrorInfo.FromString(base64.b64decode(encoded[1] + "=="))
            assert (info.reason, info.domain) == ("EMPTY_TEXT", "finslm")
