"""Do the accounts say what the postings and lines say? For every volunteer of one partition."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from consumers.kafka.reader import Log
from consumers.kafka.records import Place
from consumers.reconcile.findings import Difference, Findings
from schemas.posting import Account, PartitionState
from schemas.topics import ACCOUNTS, POSTINGS
from schemas.wire.codec import Undecodable, decode_output

Totals = dict[tuple[str, str], int]
"""Kind and state -> minutes, without zeros."""


def read_accounts(log: Log, partition: int) -> tuple[dict[str, bytes], PartitionState | None]:
    """The newest account record of each volunteer, as bytes, and the state they belong to.

    Both are written in one transaction, so together they are one moment of the ledger.
    """
    place = Place(ACCOUNTS, partition)
    begin, end = log.begins([place])[place], log.ends([place])[place]
    accounts: dict[str, bytes] = {}
    state = None
    for records in log.read(place, begin, end):
        for record in records:
            key = (record.key or b"").decode("utf-8", "backslashreplace")
            if key.startswith("@"):
                state = record.value
            elif "/" in key:
                continue
            elif record.value is None:
                accounts.pop(key, None)
            else:
                accounts[key] = record.value
    found = None if state is None else decode_output(state)
    return accounts, found if isinstance(found, PartitionState) else None


def compare_accounts(
    partition: int,
    accounts: dict[str, bytes],
    trail: Iterator[pa.RecordBatch],
    findings: Findings,
) -> None:
    """Compare account records with what the trail's postings and lines come to; empties both.

    `trail` is the stream `accounts` of the same partition, cut at the same index.
    """
    findings.count("accounts", len(accounts))
    for batch in trail:
        for row in batch.to_pylist():
            volunteer_id = row["volunteer_id"].decode("utf-8", "backslashreplace")
            value = accounts.pop(volunteer_id, None)
            detail = _compared(volunteer_id, value, row)
            if detail:
                place = f"{POSTINGS}/{partition}"
                findings.add(Difference("account_differs", place, "", volunteer_id, detail))
    for volunteer_id, value in accounts.items():
        account = _account(value)
        if account is None or account.sequence:
            findings.add(
                Difference(
                    "account_differs", f"{ACCOUNTS}/{partition}", "", volunteer_id,
                    "the account has postings, the trail has none",
                )
            )  # fmt: skip


def _compared(volunteer_id: str, value: bytes | None, row: dict[str, Any]) -> str:
    """What differs, '' if nothing."""
    account = None if value is None else _account(value)
    if account is None or account.volunteer_id != volunteer_id:
        return "there is no account record" if value is None else "the account record is unreadable"
    totals: Totals = {
        (total["1"].decode(), total["2"].decode()): total["3"] for total in row["totals"]
    }
    lines = sum(n for (kind, state), n in totals.items() if _counts(kind, state))
    unlike = []
    if not account.sequence == row["sequence"] == row["postings"]:
        unlike.append(
            f"sequence: account {account.sequence}, last posting {row['sequence']}, "
            f"{row['postings']} postings"
        )
    if not account.balance_minutes == row["balance_minutes"] == lines:
        unlike.append(
            f"minutes: account {account.balance_minutes}, last posting {row['balance_minutes']}, "
            f"lines {lines}"
        )
    kept = {(t.kind, t.state): t.minutes for t in account.totals if t.minutes}
    summed = {key: minutes for key, minutes in totals.items() if minutes}
    if kept != summed:
        unlike.append(f"totals: account {_said(kept)}, lines {_said(summed)}")
    return "; ".join(unlike)


def _account(value: bytes) -> Account | None:
    try:
        account = decode_output(value)
    except Undecodable:
        return None
    return account if isinstance(account, Account) else None


def _counts(kind: str, state: str) -> bool:
    return state == "effective" and kind != "training"


def _said(totals: Any) -> str:
    said = ", ".join(f"{kind}/{state} {n}" for (kind, state), n in sorted(totals.items()))
    return said or "none"
