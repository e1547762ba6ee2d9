"""A Hugging Face hub or an internal mirror of one (``HF_ENDPOINT``), at a pinned commit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import final

from finslm.errors import ConfigError
from finslm.models.manifest import ModelEntry
from finslm.models.sources.base import Fetched, Progress, ReadyFiles

_SPEC = re.compile(r"^hf:(?P<repo>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)@(?P<revision>[0-9a-f]{40})$")
SUFFIXES = frozenset((".safetensors", ".json", ".txt", ".jinja", ".onnx", ".md", ""))
"""What is ever asked of a hub. Every file is compared with the manifest's SHA-256 as well."""


@final
@dataclass(frozen=True, slots=True)
class HubMirror:
    """A repository that holds the model's final files, for example an upload of an installed folder.

    ``HF_ENDPOINT`` and ``HF_TOKEN`` are honoured (huggingface_hub). A branch name is refused: what
    it points at can change.
    """

    repo: str
    revision: str

    @classmethod
    def parse(cls, spec: str) -> HubMirror:
        """Read ``hf:ORG/REPO@COMMIT``.

        Raises:
            ConfigError: another form, or a revision that is no full commit hash.
        """
        if (match := _SPEC.match(spec)) is None:
            raise ConfigError("--from hf:...: wanted hf:ORG/REPO@COMMIT with a commit hash of 40 hex digits")
        return cls(match["repo"], match["revision"])

    def fetch(self, name: str, entry: ModelEntry, into: Path, progress: Progress) -> Fetched:
        """Download the files of the manifest, and no others; see :class:`~finslm.models.sources.base.Source`."""
        from huggingface_hub import hf_hub_download
        from huggingface_hub.utils.tqdm import disable_progress_bars

        disable_progress_bars()
        folder, done, total = into / "hub", 0, sum(pin.size_bytes for pin in entry.files.values())
        for path, pin in entry.files.items():
            if Path(path).suffix not in SUFFIXES:
                raise ConfigError(f"model {name}: {path}: files of this type are not fetched from a hub")
            try:
                hf_hub_download(self.repo, path, revision=self.revision, local_dir=folder)
            except OSError as error:
                if error.errno is not None:  # the disk; the hub's own errors have no number
                    raise
                raise ConfigError(_refused(name, self.repo, path, error)) from error
            except Exception as error:  # the library has no common root for its errors
                raise ConfigError(_refused(name, self.repo, path, error)) from error
            done += pin.size_bytes
            progress(f"download {path}", done, total)
        return ReadyFiles(folder, "hub")


def _refused(name: str, repo: str, path: str, error: Exception) -> str:
    return f"model {name}: {repo}: {path}: {type(error).__name__}; check HF_ENDPOINT, HF_TOKEN and the commit"
