"""Start, health, limits, drain, TLS and reflection of the server, on a real port."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import socket
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from finslm.client import AsyncClient, ClientError, ResourceExhaustedError, Tls, UnavailableError
from finslm.errors import ConfigError
from finslm.rpc.lifecycle import SERVICES
from finslm.rpc.server import _address


@pytest.mark.parametrize(
    ("host", "address"),
    [("::1", "[::1]:8080"), ("[::1]", "[::1]:8080"), ("127.0.0.1", "127.0.0.1:8080"), ("unix:/s", "unix:/s:8080")],
)
def test_an_ipv6_address_keeps_its_port(host: str, address: str) -> None:
    """``::1:8080`` would be the address ``::1:8080``, which is not loopback."""
    assert _address(host, 8080) == address


class TestHealth:
    async def test_not_serving_until_ready_then_serving_for_each_service(self, serve: Any) -> None:
        async with serve(ready=False) as running, running.client() as client:
            assert {await client.health(s) for s in ("", *SERVICES)} == {"NOT_SERVING"}
            await running.server.ready()
            assert {await client.health(s) for s in ("", *SERVICES)} == {"SERVING"}

    async def test_a_server_that_lost_a_part_says_so(self, serve: Any) -> None:
        async with serve() as running, running.client() as client:
            await running.server.failed()
            assert {await client.health(s) for s in ("", *SERVICES)} == {"NOT_SERVING"}

    async def test_an_unknown_service_is_not_found(self, serve: Any) -> None:
        async with serve() as running, running.client() as client:
            with pytest.raises(ClientError) as caught:
                await client.health("nobody")
            assert caught.value.status is grpc.StatusCode.NOT_FOUND

    async def test_answers_while_every_place_is_taken(self, serve: Any) -> None:
        """A full server is not a dead one."""
        async with serve(max_concurrent_rpcs=1) as running, running.client() as client:
            running.pipeline.hold = asyncio.Event()
            busy = asyncio.create_task(client.redact("a"))
            await running.pipeline.entered.wait()
            assert await client.health() == "SERVING"
            running.pipeline.hold.set()
            await busy


class TestStop:
    async def test_calls_in_progress_end_and_late_ones_are_refused(self, serve: Any) -> None:
        async with serve() as running, running.client() as client, running.client() as late:
            running.pipeline.hold = asyncio.Event()
            busy = asyncio.create_task(client.generate("hello"))
            await running.pipeline.entered.wait()
            assert await late.health() == "SERVING"
            stopping = asyncio.create_task(running.server.stop(5))
            await asyncio.sleep(0.1)
            with pytest.raises(UnavailableError):
                await late.redact("a", timeout_s=10)
            running.pipeline.hold.set()
            assert (await busy).text == "hello"
            await stopping

    async def test_calls_that_outlast_the_grace_are_cancelled(self, serve: Any) -> None:
        async with serve() as running, running.client() as client:
            running.pipeline.hold = asyncio.Event()
            busy = asyncio.create_task(client.generate("hello"))
            await running.pipeline.entered.wait()
            async with asyncio.timeout(5):
                await running.server.stop(0.1)
            with pytest.raises(ClientError):
                await busy

    async def test_health_says_not_serving_while_draining(self, serve: Any) -> None:
        async with serve() as running:
            running.pipeline.hold = asyncio.Event()
            async with grpc.aio.insecure_channel(running.address) as channel, running.client() as client:
                watch = channel.unary_stream("/grpc.health.v1.Health/Watch")(b"")
                assert await watch.read() == b"\x08\x01"  # SERVING
                busy = asyncio.create_task(client.redact("a"))
                await running.pipeline.entered.wait()
                stopping = asyncio.create_task(running.server.stop(5))
                assert await watch.read() == b"\x08\x02"  # NOT_SERVING
                watch.cancel()
                running.pipeline.hold.set()
                await busy
                await stopping


class TestLimit:
    async def test_five_waves_of_twenty_on_two_places(self, serve: Any) -> None:
        """Two are served, the rest refused with a reason; no place is lost from wave to wave."""
        async with serve(max_concurrent_rpcs=2) as running, running.client() as client:
            for wave in range(5):
                running.pipeline.hold = asyncio.Event()
                calls = [asyncio.create_task(client.redact("a")) for _ in range(20)]
                async with asyncio.timeout(10):
                    while sum(c.done() for c in calls) < 18:
                        await asyncio.sleep(0.01)
                running.pipeline.hold.set()
                ended = await asyncio.gather(*calls, return_exceptions=True)
                refused = [e for e in ended if isinstance(e, ResourceExhaustedError)]
                assert len(refused) == 18, f"wave {wave}"
                assert {(e.reason, e.retry_after_s) for e in refused} == {("OVERLOADED", 1.0)}
                assert len(running.pipeline.calls) == 2 * (wave + 1)

    async def test_cancelled_and_failed_calls_give_their_place_back(self, serve: Any) -> None:
        async with serve(max_concurrent_rpcs=1) as running, running.client() as client:
            for _ in range(3):
                running.pipeline.hold, running.pipeline.entered = asyncio.Event(), asyncio.Event()
                busy = asyncio.create_task(client.redact("a"))
                await running.pipeline.entered.wait()
                busy.cancel()
                await asyncio.gather(busy, return_exceptions=True)
                await asyncio.sleep(0.1)
            running.pipeline.hold, running.pipeline.failure = None, ValueError("x")
            for _ in range(2):
                with pytest.raises(ClientError):
                    await client.redact("a")
            running.pipeline.failure = None
            assert (await client.redact("a")).session_id == "session"


class TestStart:
    async def test_the_port_file_says_where_and_goes_with_the_server(self, serve: Any, tmp_path: Path) -> None:
        file = tmp_path / "run" / "port"
        async with serve(port_file=file) as running:
            assert file.read_text() == f"127.0.0.1:{running.server.port}\n"
            assert [p.name for p in file.parent.iterdir()] == ["port"]
        assert not file.exists()

    async def test_a_taken_port_refuses_the_start(self, serve: Any) -> None:
        """Two servers never share a port (SO_REUSEPORT is off)."""
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with pytest.raises(ConfigError, match="cannot listen"):
                async with serve(port=taken.getsockname()[1]):
                    pass

    async def test_a_certificate_without_a_key_refuses_the_start(self, serve: Any, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="go together"):
            async with serve(tls_cert_file=tmp_path / "cert.pem"):
                pass

    async def test_an_unreadable_certificate_refuses_the_start(self, serve: Any, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="TLS file"):
            async with serve(tls_cert_file=tmp_path / "no.pem", tls_key_file=tmp_path / "no.key"):
                pass


class TestReflection:
    @staticmethod
    async def services(address: str) -> set[str]:
        async with grpc.aio.insecure_channel(address) as channel:
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
            answer = await call.read()
            call.cancel()
            return {s.name for s in answer.list_services_response.service}

    async def test_on(self, serve: Any) -> None:
        async with serve(reflection=True) as running:
            assert set(SERVICES) <= await self.services(running.address)

    async def test_off_unless_asked_for(self, serve: Any) -> None:
        async with serve() as running:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await self.services(running.address)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


class TestTls:
    async def test_a_client_with_the_ca_gets_through_and_plain_text_does_not(self, serve: Any, tmp_path: Path) -> None:
        pki = Pki(tmp_path)
        async with serve(tls_cert_file=pki.cert, tls_key_file=pki.key) as running:
            async with running.client(tls=Tls(ca_file=pki.ca)) as client:
                assert (await client.redact("a")).session_id == "session"
            async with running.client() as plain:
                with pytest.raises(UnavailableError):
                    await plain.redact("a", timeout_s=5)

    async def test_mutual_tls_wants_the_clients_certificate(self, serve: Any, tmp_path: Path) -> None:
        pki = Pki(tmp_path)
        files = {"tls_cert_file": pki.cert, "tls_key_file": pki.key, "tls_client_ca_file": pki.ca}
        async with serve(**files) as running:
            async with running.client(tls=Tls(ca_file=pki.ca)) as nobody:
                with pytest.raises(UnavailableError):
                    await nobody.redact("a", timeout_s=5)
            async with running.client(tls=Tls(pki.ca, pki.cert, pki.key)) as client:
                assert (await client.redact("a")).session_id == "session"

    async def test_a_renewed_certificate_is_in_force_without_a_restart(self, serve: Any, tmp_path: Path) -> None:
        old, new = Pki(tmp_path / "old"), Pki(tmp_path / "new")
        async with serve(tls_cert_file=old.cert, tls_key_file=old.key) as running:
            async with running.client(tls=Tls(old.ca)) as client:
                await client.redact("a")
            old.cert.write_bytes(new.cert.read_bytes())
            old.key.write_bytes(new.key.read_bytes())
            async with AsyncClient(running.address, tls=Tls(new.ca)) as client:
                assert (await client.redact("a")).session_id == "session"
            old.key.unlink()
            async with AsyncClient(running.address, tls=Tls(new.ca)) as client:
                assert (await client.redact("a")).session_id == "session", "unreadable: the last good one stays"


class Pki:
    """A CA and one certificate for 127.0.0.1, as files."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test CA")])
        ca = self._sign(name, name, ca_key.public_key(), ca_key, x509.BasicConstraints(ca=True, path_length=0))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        cert = self._sign(name, subject, key.public_key(), ca_key, address)
        self.ca, self.cert, self.key = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
        self.ca.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
        self.cert.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        self.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    @staticmethod
    def _sign(issuer: Any, subject: Any, public: Any, key: Any, extension: Any) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder(issuer, subject, public, x509.random_serial_number())
        builder = builder.not_valid_before(now - dt.timedelta(hours=1))
        builder = builder.not_valid_after(now + dt.timedelta(hours=1))
        return builder.add_extension(extension, critical=True).sign(key, hashes.SHA256())
