"""The questions that may be asked of a trail, by name; there is no free SQL."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa
from pydantic import ConfigDict, ValidationError, validate_call

from consumers.certificates import certificate_queries
from consumers.questions.facts.naming import names_beside
from consumers.questions.facts.nearest import nearest
from consumers.questions.hours import histories, totals
from consumers.questions.hours.headcounts import headcount
from consumers.questions.hours.organisation import org
from consumers.questions.hours.overview import overview
from consumers.questions.hours.plans import plan
from consumers.questions.open_items.exceptions import exceptions
from consumers.questions.open_items.overdue import overdue
from consumers.questions.recognition import evaluations, recognition
from consumers.seal import proofs
from consumers.trail.rows import TABLES
from consumers.trail.store import Trail
from consumers.trail.watermarks import head_of, heads, next_indexes

_QUESTIONS: Mapping[str, Callable[..., Any]] = {
    question.__name__: validate_call(config=ConfigDict(strict=True, arbitrary_types_allowed=True))(
        question
    )
    for question in (
        overview,
        totals.total,
        exceptions,
        org,
        plan,
        overdue,
        headcount,
        totals.quarantine_list,
        totals.quarantine_show,
        histories.explain,
        histories.trace,
        proofs.sealed_postings,
        evaluations.evaluations,
        evaluations.unevaluated,
        recognition.recognition,
        recognition.benefit,
        certificate_queries.certifiable,
        certificate_queries.certificate,
        certificate_queries.certificate_holder,
        certificate_queries.certificate_refusal,
        certificate_queries.certificates,
        nearest,
    )
}
QUESTIONS = (*_QUESTIONS, "heads", "indexes")
"""The names that `answer` knows."""

NAMED = ("explain", "trace", "exceptions", "org", "plan", "overdue", "evaluations", "unevaluated")
"""The questions whose answers name organisations, projects or sites by their ids."""

_POSITION_COLUMNS = {"line": "offset, line_no"}


class BadQuestion(Exception):
    """An unknown question, or arguments it does not take; the text says which."""


def answer(trail: Trail, question: str, arguments: Mapping[str, Any], *, asker: str) -> Any:
    """Answer one question as plain values, after noting in `access_log` who asked it.

    Answers of `NAMED` say under `names` what the organisations, projects and sites are called that
    they mention. Raises BadQuestion.
    """
    if question == "heads":
        return heads_by_name(trail)
    if question == "indexes":
        return {str(partition): index for partition, index in next_indexes(trail)[0].items()}
    function = _QUESTIONS.get(question)
    if function is None:
        raise BadQuestion(f"{question}: one of {', '.join(QUESTIONS)}")
    trail.command(
        "INSERT INTO access_log (asked_at, asker, question, arguments) "
        "SELECT now64(6), {asker:String}, {question:String}, {arguments:String}",
        asker=asker,
        question=question,
        arguments=json.dumps(arguments, ensure_ascii=False, sort_keys=True),
    )
    try:
        found = function(trail.query, **arguments)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise BadQuestion(f"{question} {where}: {first['msg']}") from error
    if question not in NAMED:
        return found
    return found | {"names": names_beside(trail.query, found, arguments.get("as_of"))}


def heads_by_name(trail: Trail) -> dict[str, int]:
    """For each topic/partition that the trail has records of: the offset it goes on from."""
    held = heads(trail)
    return {str(place): head_of(held, place) for _, place in held}


def stream(trail: Trail, name: str, arguments: Mapping[str, Any]) -> Iterator[pa.RecordBatch]:
    """A long answer as Arrow batches: `rows` of a place, or `accounts` of a ledger partition.

    Raises BadQuestion.
    """
    try:
        match name:
            case "rows":
                return _rows(trail, **arguments)
            case "accounts":
                return _accounts(trail, **arguments)
    except ValidationError as error:
        raise BadQuestion(f"{name}: {error}") from error
    raise BadQuestion(f"{name}: one of rows, accounts")


@validate_call(config=ConfigDict(strict=True, arbitrary_types_allowed=True))
def _rows(
    trail: Trail, table: str, topic: str, partition: int, below: int
) -> Iterator[pa.RecordBatch]:
    """Every column of the rows that come from one place, in the order of its offsets."""
    if table not in TABLES:
        raise BadQuestion(f"rows: no table {table}")
    where = "partition = {partition:Int64} AND offset < {below:Int64}"
    if table == "event":
        where += " AND topic = {topic:String}"
    order = _POSITION_COLUMNS.get(table, "offset")
    columns = ", ".join(TABLES[table].names)
    return trail.stream(
        f"SELECT {columns} FROM {table} WHERE {where} ORDER BY {order}",
        topic=topic, partition=partition, below=below,
    )  # fmt: skip


@validate_call(config=ConfigDict(strict=True, arbitrary_types_allowed=True))
def _accounts(trail: Trail, partition: int, below_index: int) -> Iterator[pa.RecordBatch]:
    """Each volunteer of a ledger partition as the postings before an index leave them.

    Columns: volunteer_id; count, highest sequence and last balance of the postings; `totals`,
    a list of (kind, state, minutes) over all lines.
    """
    posted = (
        "SELECT volunteer_id, count() AS postings, max(p.sequence) AS sequence, "
        "argMax(p.balance_minutes, p.sequence) AS balance_minutes FROM posting AS p "
        "WHERE partition = {partition:Int64} AND posting_index < {below:Int64} "
        "AND volunteer_id != '' GROUP BY volunteer_id"
    )
    summed = (
        "SELECT volunteer_id, groupArray((kind, state, minutes)) AS totals FROM ("
        " SELECT volunteer_id, kind, state, sum(minutes) AS minutes FROM line"
        " WHERE partition = {partition:Int64} AND posting_index < {below:Int64}"
        " GROUP BY volunteer_id, kind, state) GROUP BY volunteer_id"
    )
    return trail.stream(
        f"SELECT volunteer_id, postings, sequence, balance_minutes, totals FROM ({posted}) AS p "
        f"FULL OUTER JOIN ({summed}) AS l USING (volunteer_id)",
        partition=partition,
        below=below_index,
    )
