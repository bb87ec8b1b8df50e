"""What one account hands to another, as events, and back: facts of a span, words about a case."""

from hashlib import blake2b
from typing import Final, cast

from ledger.account.acts import Act
from ledger.account.record import Record
from ledger.account.spans import Begin, Facts, Span
from ledger.account.statements import Case, Word
from ledger.catalogue.catalogue import Place
from ledger.hours.results import place_of
from schemas.events import (
    Actor,
    CaseTransferred,
    ClockTicked,
    Evaluation,
    FactForwarded,
    MovedAct,
    MovedPlace,
    MovedStart,
    MovedWord,
    Recognition,
    SpanTransferred,
    Transfer,
)
from schemas.wire.codec import decode_event, encode

ACTS_AT_ONCE: Final = 16
"""Acts in one transfer, so that it stays within the size of an event."""


class Told:
    """The transfers of one posting; their ids follow from its number: a replay makes the same."""

    def __init__(self, origin: str, record: Record, sequence: int) -> None:
        self._origin = origin
        self._cause = record.event
        self._sequence = sequence
        self.transfers: list[Transfer] = []

    def _event_id(self) -> str:
        text = f"{self._origin}/{self._sequence}/{len(self.transfers)}"
        return "t-" + blake2b(text.encode(), digest_size=16).hexdigest()

    def _actor(self) -> Actor | None:
        cause = self._cause
        return None if isinstance(cause, ClockTicked) else cause.actor

    def hand_over(self, to: str, span: Span, facts: Facts) -> None:
        """All of some facts, in as many transfers as their acts need."""
        first = facts.copy()
        first.acts = facts.acts[:ACTS_AT_ONCE]
        self.tell(to, span, first)
        for at in range(ACTS_AT_ONCE, len(facts.acts), ACTS_AT_ONCE):
            more = Facts(acts=facts.acts[at : at + ACTS_AT_ONCE])
            self.tell(to, span, more)

    def tell(self, to: str, span: Span, facts: Facts, *, withdrawn: bool = False) -> None:
        """One transfer."""
        place = facts.place
        session = span.kind == "service"
        self.transfers.append(
            SpanTransferred(
                self._event_id(),
                to,
                self._origin,
                self._cause.event_id,
                span.id if session else None,
                None if session else span.id,
                withdrawn,
                span.kind,
                facts.start,
                facts.start_event or None,
                _moved_place(place),
                facts.shift_id,
                facts.outs,
                facts.minutes,
                facts.date,
                facts.row or None,
                facts.signed,
                facts.claimed,
                facts.requester or None,
                tuple([_moved_act(act) for act in facts.acts]),
                self._cause.occurred_at,
                self._actor(),
                facts.heard or None,
                facts.outs_heard,
                tuple([_moved_start(begin) for begin in facts.begins]),
            )
        )

    def case(
        self, to: str, origin: str, case: Case, words: tuple[Word, ...], *, withdrawn: bool = False
    ) -> None:
        """Words about a case that were said under one registration, or that they are taken back."""
        self.transfers.append(
            CaseTransferred(
                self._event_id(),
                to,
                self._origin,
                self._cause.event_id,
                origin,
                case.kind,
                case.id,
                withdrawn,
                tuple([_moved_word(word) for word in words]),
                self._cause.occurred_at,
                self._actor(),
            )
        )

    def fact(self, to: str, fact: Evaluation | Recognition, received_at: int) -> None:
        """A fact that another account is to judge."""
        self.transfers.append(
            FactForwarded(
                self._event_id(),
                to,
                self._origin,
                fact.event_id,
                encode(fact),
                received_at,
                fact.occurred_at,
                fact.actor,
            )
        )


def fact_of(event: FactForwarded) -> Evaluation | Recognition:
    """The fact that is to be judged."""
    return cast(Evaluation | Recognition, decode_event(event.fact))


def _moved_word(word: Word) -> MovedWord:
    return MovedWord(word.what, word.whose, word.at, word.number or None, word.ref or None)


def words_of(event: CaseTransferred) -> tuple[Word, ...]:
    """The words that are handed over."""
    return tuple([
        Word(event.origin_id, one.what, one.whose, one.said_at, one.number or 0, one.ref or "")
        for one in event.words
    ])  # fmt: skip


def _moved_place(place: Place | None) -> MovedPlace | None:
    if place is None:
        return None
    return MovedPlace(
        place.activity_id,
        place.project_id,
        place.site_id,
        place.recording_org_id,
        place.host_org_id,
    )


def _moved_start(begin: Begin) -> MovedStart:
    place = _moved_place(begin.place)
    return MovedStart(begin.at, begin.event_id, begin.heard, place, begin.shift_id)


def _begin(moved: MovedStart) -> Begin:
    place = _place(moved.place)
    return Begin(moved.started_at, moved.event_id, moved.recorded_at, place, moved.shift_id)


def _place(moved: MovedPlace | None) -> Place | None:
    return None if moved is None else place_of(moved)


def _moved_act(act: Act) -> MovedAct:
    asks = act.what == "ask"
    return MovedAct(
        act.at,
        act.event_id,
        act.what,
        act.by,
        act.org,
        act.level,
        act.ref,
        act.sure,
        act.start if asks else None,
        act.end if asks else None,
        _moved_place(act.place),
    )


def _act(moved: MovedAct) -> Act:
    return Act(
        moved.occurred_at,
        moved.event_id,
        moved.what,
        moved.actor_id,
        moved.org,
        moved.level,
        moved.ref,
        moved.evidenced,
        moved.start_at or 0,
        moved.end_at or 0,
        _place(moved.place),
    )


def facts_of(event: SpanTransferred) -> Facts:
    return Facts(
        event.started_at,
        event.start_event_id or "",
        _place(event.place),
        event.shift_id,
        event.ends,
        event.minutes,
        event.service_date,
        event.signed,
        event.claimed,
        event.requester_id or "",
        tuple([_act(act) for act in event.acts]),
        event.source_row or "",
        event.start_recorded_at or 0,
        event.ends_recorded,
        tuple([_begin(start) for start in event.starts]),
    )
