"""AuditService over the wire: pages, filters, tenants, exports, proofs, receipts; every read on record."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from finslm.access.principals import TokenAuthenticator
from finslm.audit import AuditLog, Kind, Record, merkle
from finslm.audit.checkpoint import Verifier
from finslm.audit.proof import Proof
from finslm.client import InvalidArgumentError, NotFoundError, PermissionDeniedError
from finslm.v1 import audit_pb2, audit_pb2_grpc

Running = Any
Serve = Any


async def fill(running: Running, count: int = 30) -> None:
    """Calls of two tenants, and an event of none."""
    await running.log.append(Record(Kind.EVENT, event="SERVER_STARTED", details={"version": "1"}))
    for n in range(count):
        call = {
            "request_id": f"00000000-0000-4000-8000-{n:012x}",
            "method": "InferenceService/Generate",
            "tenant": ("emea", "apac")[n % 2],
            "principal": f"svc{n % 3}",
        }
        intent = await running.log.append(Record(Kind.INTENT, **call))
        status = {"status": "OK"} if n % 5 else {"status": "UNAVAILABLE", "reason": "DETECTOR_ERROR"}
        await running.log.append(Record(Kind.OUTCOME, **call, **status, intent_index=intent.index))


async def test_pages_and_filters(serve: Serve) -> None:
    """All pages together are what fits, in order, whatever their size; later records are not in them."""
    async with serve() as running, running.client() as client:
        await fill(running)
        whole = await client.list_records(tenant="emea", kind="OUTCOME", page_size=1000)
        assert [r.tenant for r in whole.records] == ["emea"] * 15
        assert whole.next_page_token == ""
        found, token, pages = [], "", 0
        while token or not pages:
            page = await client.list_records(tenant="emea", kind="OUTCOME", page_size=4, page_token=token)
            found += page.records
            token, pages = page.next_page_token, pages + 1
        assert found == list(whole.records)
        assert pages >= 4
        failed = await client.list_records(status="UNAVAILABLE", reason="DETECTOR_ERROR", principal="svc0")
        assert [r.index for r in failed.records] == [2, 32]
        assert [r.event for r in (await client.list_records(event="SERVER_STARTED")).records] == ["SERVER_STARTED"]
        third = running.log.record(3).time
        since = await client.list_records(time_from=third, page_size=1)
        assert since.records[0].index == 3
        until = await client.list_records(time_to=third)
        assert [r.index for r in until.records] == [0, 1, 2]
        reads = [r for r in running.records() if r.method == "AuditService/ListRecords" and r.kind is Kind.OUTCOME]
        assert len(reads) == 5 + pages, "each reading is a record itself"


@pytest.mark.parametrize("token", ["x", "0-1-" + "0" * 16, "9-3-" + "0" * 16, "0-999999-" + "0" * 16])
async def test_a_token_of_something_else_is_refused(token: str, serve: Serve) -> None:
    async with serve() as running, running.client() as client:
        await fill(running, 2)
        with pytest.raises(InvalidArgumentError) as caught:
            await client.list_records(tenant="emea", page_token=token)
        assert caught.value.field_violations[0].field == "page_token"


async def test_a_reader_sees_its_tenants_only(serve: Serve) -> None:
    """Lists, exports and single records show no other tenant's; who is no reader is refused, and that is on record."""
    tokens = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("emea-audit", "chief", "app")}
    readers = {"emea-audit": ("emea",), "chief": ("*",)}
    async with serve(TokenAuthenticator(tokens), readers=readers) as running:
        await fill(running)
        async with running.client(token="emea-audit") as client:
            listed = (await client.list_records(page_size=1000)).records
            assert {r.tenant for r in listed} == {"emea"}
            assert len(listed) == 30
            assert (await client.list_records(tenant="apac")).records == ()
            assert (await client.get_record(1)).records[0].tenant == "emea"
            for index in (0, 3):
                with pytest.raises(NotFoundError):
                    await client.get_record(index)
            with pytest.raises(NotFoundError):
                await client.get_record(record_request_id="00000000-0000-4000-8000-000000000001")
            assert (await client.verify()).ok
        async with running.client(token="chief") as client:
            everything = (await client.list_records(page_size=1000)).records
            assert {"", "emea", "apac"} <= {r.tenant for r in everything}
        async with running.client(token="app") as client:
            for call in (client.get_checkpoint, client.verify, client.list_records):
                with pytest.raises(PermissionDeniedError, match="readers"):
                    await call()
        refused = [r for r in running.records() if r.status == "PERMISSION_DENIED"]
        assert len(refused) == 3
        assert {r.principal for r in refused} == {"app"}


async def test_export_ends_with_a_checkpoint_that_covers_it(serve: Serve) -> None:
    """What arrives hashes to the leaves of the signed tree: nothing of it can have been left out."""
    async with serve() as running, running.client() as client:
        await fill(running, 200)
        stub = audit_pb2_grpc.AuditServiceStub(client._channel)
        answers = [a async for a in stub.ExportRecords(audit_pb2.ExportRecordsRequest())]
        frontier = merkle.Frontier()
        for answer in answers:
            for record in answer.records:
                assert record.index == frontier.size
                frontier.append(merkle.leaf_hash(record.canonical_json))
        verifier = Verifier.parse((running.log_folder / "log.vkey").read_text().strip())
        signed = verifier.verify(answers[-1].checkpoint)
        assert (signed.size, signed.root_hash) == (frontier.size, frontier.root())
        assert answers[-1].records_read == signed.size == 402
        export = client.export_records(tenant="emea", kind="OUTCOME")
        found = [record async for record in export]
        assert [record.tenant for record in found] == ["emea"] * 100
        assert export.records_read > 402
        assert verifier.verify(export.checkpoint).size == export.records_read
        assert export.receipt is not None
        last = running.records()[-1]
        assert (last.method, last.status) == ("AuditService/ExportRecords", "OK")


async def test_receipts_and_proofs_verify_offline(serve: Serve) -> None:
    """Each reply brings a proof that its public key alone verifies; a later one is to be had for any record."""
    async with serve() as running, running.client() as client:
        await fill(running, 3)
        answer = await client.get_checkpoint()
        vkey = (running.log_folder / "log.vkey").read_text()
        answer.receipt.verify(vkey)
        proof = await client.get_inclusion_proof(answer.receipt.index)
        signed = Proof.parse(proof.proof).verify(bytes.fromhex(answer.receipt.leaf_hash), Verifier.parse(vkey.strip()))
        assert signed.size == proof.tree_size > answer.receipt.tree_size
        path = await client.get_consistency_proof(answer.receipt.tree_size, new_size=proof.tree_size)
        assert merkle.verify_consistency(
            answer.receipt.tree_size,
            proof.tree_size,
            bytes.fromhex(answer.receipt.root_hash),
            signed.root_hash,
            [bytes.fromhex(h) for h in path.hashes],
        )
        other = type(answer.receipt)(0, answer.receipt.leaf_hash, 1, answer.receipt.root_hash, answer.receipt.proof)
        with pytest.raises(ValueError, match="another record"):
            other.verify(vkey)


async def test_checks_that_were_left_hold_up_no_other_call(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many were begun and left, the threads of other calls are free."""
    gate = threading.Event()
    async with serve() as running, running.client() as client:
        monkeypatch.setattr(AuditLog, "verify", lambda *_: gate.wait(30))
        left = [asyncio.create_task(client.verify()) for _ in range(40)]
        await asyncio.sleep(0.3)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        try:
            await asyncio.wait_for(asyncio.to_thread(lambda: None), 10)
        finally:
            gate.set()


async def test_a_check_that_was_left_ends(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads no million of records for nobody."""
    began, ended, record = threading.Event(), threading.Event(), Record(Kind.EVENT, event="SERVER_STARTED")

    def endless(_: AuditLog, visit: Callable[[int, Record], None]) -> None:
        try:
            while not time.sleep(0.01):
                visit(0, record)
                began.set()
        finally:
            ended.set()

    async with serve() as running, running.client() as client:
        monkeypatch.setattr(AuditLog, "verify", endless)
        left = asyncio.create_task(client.verify())
        assert await asyncio.to_thread(began.wait, 20)
        assert not ended.is_set()
        left.cancel()
        await asyncio.gather(left, return_exceptions=True)
        assert await asyncio.to_thread(ended.wait, 20)
