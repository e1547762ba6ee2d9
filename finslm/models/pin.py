"""``pin``: write a shipped model's digest into the manifest. For those who release the package.

Usage: put the adapter's files in ``finslm/models/shipped/<name>/``, then run, from the checkout,
``finslm models pin <name>`` and commit the changed ``manifest.json``.
"""

from __future__ import annotations

import json
from pathlib import Path

from finslm.errors import ConfigError, UnknownModel
from finslm.models.manifest import package_manifest, read_catalogue, shipped_root
from finslm.models.seal import make_seal


def pin(name: str, manifest: Path | None = None, shipped: Path | None = None) -> str:
    """Hash the shipped folder of ``name`` and record the digest in the manifest.

    Returns:
        The digest.

    Raises:
        UnknownModel: not in the manifest, or no such folder.
        ConfigError: not a shipped model, a file in it that may not be, or the manifest is read-only.
    """
    file = manifest or package_manifest()
    entry = read_catalogue(file).entry(name)
    folder = (shipped or shipped_root(entry.package)) / name
    if not entry.shipped:
        raise ConfigError(f"model {name} is pulled, not shipped: its hashes are pinned file by file")
    if not folder.is_dir():
        raise UnknownModel(f"model {name}: {folder} does not exist; put the model's files there first")
    digest = make_seal(folder, name, entry, origin="package").digest
    tree = json.loads(file.read_text("utf-8"))
    tree["models"][name]["digest"] = digest
    try:
        file.write_text(json.dumps(tree, indent=2, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}; pin from a checkout that you may write to") from error
    return digest
