"""Generate finslm/v1 from proto/; with ``--check``, fail when what is committed differs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROTO = ROOT / "proto"
STUBS = ROOT / "finslm" / "v1"
VALIDATE = "buf/validate/validate.proto"
# protovalidate's rules live under the import name `buf`, which is not ours to own: its stub goes beside ours.
IMPORT_OF_VALIDATE = ("from buf.validate import validate_pb2", "from finslm.v1 import buf_validate_pb2")
HEADER = "# ruff: noqa\n# fmt: off\n"


def generate(out: Path) -> dict[str, str]:
    """Run protoc into ``out`` and return the stubs: file name in finslm/v1 → text."""
    ours = sorted(str(p.relative_to(PROTO)) for p in (PROTO / "finslm" / "v1").glob("*.proto"))
    _protoc(out, ["--python_out=", "--grpc_python_out=", "--mypy_out=quiet:", "--mypy_grpc_out=quiet:"], ours)
    _protoc(out, ["--python_out="], [VALIDATE])
    files = {p.name: p for p in (out / "finslm" / "v1").iterdir() if p.is_file()}
    files["buf_validate_pb2.py"] = out / "buf" / "validate" / "validate_pb2.py"
    services = {Path(p).stem for p in ours if "\nservice " in (PROTO / p).read_text("utf-8")}
    wanted = {n: p for n, p in files.items() if "_pb2_grpc" not in n or n.split("_pb2_grpc")[0] in services}
    return {name: HEADER + path.read_text("utf-8").replace(*IMPORT_OF_VALIDATE) for name, path in wanted.items()}


def _protoc(out: Path, flags: list[str], files: list[str]) -> None:
    bundled = resources.files("grpc_tools") / "_proto"
    # The plugins of mypy-protobuf are beside the interpreter, which need not be on PATH.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}", f"-I{bundled}"]
    subprocess.run(
        [*command, *(f"{flag}{out}" for flag in flags), *files], check=True, cwd=ROOT, env={**os.environ, "PATH": path}
    )


def main(arguments: list[str]) -> int:
    """Write the stubs, or compare them; the exit status is 1 when they differ."""
    with tempfile.TemporaryDirectory() as folder:
        stubs = generate(Path(folder))
    stubs["__init__.py"] = (
        '"""Stubs generated from proto/finslm/v1 by scripts/gen_protos.py; nothing is edited here."""\n'
    )
    present = {p.name: p.read_text("utf-8") for p in STUBS.iterdir() if p.is_file()}
    if "--check" in arguments:
        wrong = sorted(n for n in stubs.keys() | present.keys() if stubs.get(n) != present.get(n))
        if wrong:
            sys.stderr.write(f"finslm/v1 differs from proto/: {', '.join(wrong)}; run python scripts/gen_protos.py\n")
        return 1 if wrong else 0
    for name in present.keys() - stubs.keys():
        (STUBS / name).unlink()
    for name, text in stubs.items():
        (STUBS / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
