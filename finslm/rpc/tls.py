"""TLS of the listener, with certificates that may be renewed while it runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import grpc
import structlog

from finslm.config import ServerSettings
from finslm.errors import ConfigError

_log = structlog.get_logger(__name__)


def server_credentials(settings: ServerSettings) -> grpc.ServerCredentials | None:
    """Return the credentials the settings ask for, or None for plain text.

    The files are read again at each handshake, so a renewed certificate is in force without a
    restart. Where they cannot be read then, the last good ones stay in force and the log says so.

    Raises:
        ConfigError: only a part of the files is set, or one is not readable.
    """
    cert, key, ca = settings.tls_cert_file, settings.tls_key_file, settings.tls_client_ca_file
    if cert is None and key is None and ca is None:
        return None
    if cert is None or key is None:
        raise ConfigError("server.tls_cert_file and server.tls_key_file go together; set both or none")
    files = _Files(cert, key, ca)
    # None means "no change" to grpc; its type stubs leave that out.
    fetch = cast(Callable[[], grpc.ServerCertificateConfiguration], files.read_again)
    return grpc.dynamic_ssl_server_credentials(files.read_first(), fetch, ca is not None)


class _Files:
    def __init__(self, cert: Path, key: Path, ca: Path | None) -> None:
        self._paths = (cert, key, ca)
        self._seen: tuple[bytes, bytes, bytes | None] | None = None

    def read_first(self) -> grpc.ServerCertificateConfiguration:
        try:
            self._seen = self._contents()
        except OSError as error:
            raise ConfigError(f"TLS file {error.filename}: {error.strerror}") from None
        return _configuration(*self._seen)

    def read_again(self) -> grpc.ServerCertificateConfiguration | None:
        """Return what is new; None keeps what is in force. Called on a thread of grpc's."""
        try:
            contents = self._contents()
        except OSError:
            _log.error("tls_reload_failed", error_type="OSError")
            return None
        if contents == self._seen:
            return None
        self._seen = contents
        return _configuration(*contents)

    def _contents(self) -> tuple[bytes, bytes, bytes | None]:
        cert, key, ca = self._paths
        return cert.read_bytes(), key.read_bytes(), None if ca is None else ca.read_bytes()


def _configuration(cert: bytes, key: bytes, ca: bytes | None) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(key, cert)], root_certificates=ca)
