"""Everything under which an event may make an account remember something new."""

from ledger.account.spans import span_key
from ledger.hours.bounds import batch_key, grant_key, row_key
from ledger.recognition.evaluations import evaluation_keys
from ledger.recognition.recognition import recognition_keys
from schemas.events import (
    CheckedIn,
    CheckedOut,
    CorrectionRequested,
    Decision,
    Fact,
    HoursClaimed,
    HoursGranted,
    HoursImported,
    Recognition,
    RecordReplayed,
    TrainingRecorded,
    Transfer,
)


def keys_of(event: Fact) -> tuple[str, ...]:
    """Everything under which an event may make the account remember something new."""
    seen = "e/" + event.event_id
    match event:
        case CheckedIn() | CheckedOut():
            return seen, span_key("service", event.session_id), "p/" + event.project_id
        case HoursImported():
            grant, project = grant_key(event.grant_id), "p/" + event.project_id
            return seen, grant, project, row_key(event), batch_key(event)
        case HoursGranted() | HoursClaimed() | TrainingRecorded():
            return seen, grant_key(event.grant_id), "p/" + event.project_id
        case _:
            if isinstance(event, Transfer):
                # What the ledger itself says is never turned back; nobody chooses these ids.
                return ()
            if isinstance(event, RecordReplayed):
                return (seen,)
            if isinstance(event, Decision):
                return seen, *_keys_of_act(event)
            if isinstance(event, Recognition):
                return seen, *recognition_keys(event)
            return seen, *evaluation_keys(event)


def _keys_of_act(event: Decision) -> tuple[str, ...]:
    key = _target_key(event)
    return (key, "p/" + event.project_id) if isinstance(event, CorrectionRequested) else (key,)


def _target_key(event: Decision) -> str:
    if event.session_id is not None:
        return span_key("service", event.session_id)
    return grant_key(event.grant_id or "")
