"""From settings to the vault and the keys it hangs on."""

from __future__ import annotations

from finslm.config import KeysSettings, Settings
from finslm.errors import ConfigError
from redaction import MemoryVault
from redaction.errors import VaultUnavailable
from redaction.keys import EnvironmentKeys, FileKeys, KeyProvider
from redaction.vault import Vault


def open_keys(settings: KeysSettings) -> KeyProvider:
    """Open the master keys; make the file where there is none.

    Raises:
        ConfigError: they cannot be read, or others may read them.
    """
    try:
        if settings.masters is not None:
            return EnvironmentKeys(settings.masters.get_secret_value(), "keys.masters")
        if settings.source == "pkcs11" and settings.module_file is not None and settings.pin_file is not None:
            from redaction.keys.pkcs11 import Pkcs11Keys  # needs python-pkcs11, which other sources do not

            pin = settings.pin_file.read_text("utf-8").strip()
            return Pkcs11Keys(settings.module_file, settings.token, pin, settings.current, settings.derive)
        return FileKeys.made(settings.file)
    except VaultUnavailable as error:
        raise ConfigError(f"keys: {error}") from None
    except ImportError:
        raise ConfigError("keys: source pkcs11 needs python-pkcs11: install finslm[pkcs11]") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"keys.pin_file {settings.pin_file}: {type(error).__name__}: it cannot be read") from None


def open_vault(settings: Settings, keys: KeyProvider) -> Vault:
    """Open the vault.

    Raises:
        ConfigError: its store cannot be opened or reached.
    """
    ttl_s, vault = settings.redaction.session_ttl_s, settings.vault
    try:
        if vault.store == "postgres" and vault.dsn_file is not None:
            from redaction.vault.postgres import PostgresVault  # needs psycopg, which other stores do not

            return PostgresVault(vault.dsn_file.read_text("utf-8").strip(), keys, ttl_s)
        if vault.store == "sqlite":
            from redaction.vault.sqlite import SqliteVault

            return SqliteVault(vault.file, keys, ttl_s)
    except VaultUnavailable as error:
        raise ConfigError(f"vault: {error}") from None
    except ImportError:
        raise ConfigError("vault: store postgres needs psycopg: install finslm[postgres]") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"vault.dsn_file {vault.dsn_file}: {type(error).__name__}: it cannot be read") from None
    return MemoryVault(ttl_s=ttl_s, max_sessions=settings.redaction.max_sessions)
