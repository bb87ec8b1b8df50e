"""The topics: names, keys, clean-up, partitions. The other half of the contract."""

from dataclasses import dataclass
from typing import Final, Literal

PARTITIONS: Final = 8
"""Partitions of every service.* and ledger.* topic unless a deployment says otherwise."""

CHECKINS: Final = "service.checkins"
HOURS: Final = "service.hours"
EVALUATIONS: Final = "service.evaluations"
RECOGNITION: Final = "service.recognition"
TRANSFERS: Final = "service.transfers"
CATALOGUE: Final = "registry.catalogue"
ACCESS: Final = "registry.access"
POSTINGS: Final = "ledger.postings"
ACCOUNTS: Final = "ledger.accounts"
QUARANTINE: Final = "ledger.quarantine"
CHECKPOINTS: Final = "ledger.checkpoints"

FACTS: Final = (CHECKINS, HOURS, TRANSFERS, EVALUATIONS, RECOGNITION)
"""The topics a worker folds, in the order in which it prefers them; co-partitioned."""

VALUE_BYTES_MAX: Final = 16 * 1024
"""Largest value of a fact or a catalogue event."""

INPUT_BATCH_BYTES_MAX: Final = 1_048_588
"""Largest batch that the broker takes on a topic of facts: Kafka's own default, said aloud."""

OUTPUT_BATCH_BYTES_MAX: Final = 8 * 1024 * 1024
"""Largest batch on a topic of ledger.*: an account may weigh more than any event."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it must exist. `single` ones have one partition, the others PARTITIONS."""

    name: str
    key: str
    cleanup: Literal["delete", "compact"]
    single: bool
    facts: bool
    carries: str
    flow: str


ALL: Final = (
    Topic(CHECKINS, "volunteer_id", "delete", False, True,
          "CheckedIn, CheckedOut, SessionConfirmed, SessionDenied, ClockTicked",
          "field apps → worker, sink"),
    Topic(HOURS, "volunteer_id", "delete", False, True,
          "HoursClaimed, HoursGranted, HoursDecided, HoursImported, CorrectionRequested, "
          "CorrectionDecided, SessionVoided, SessionReinstated, AppealFiled, AppealDecided, "
          "HoursRerated, TrainingRecorded, RecordReplayed", "back office → worker, sink"),
    Topic(EVALUATIONS, "volunteer_id", "delete", False, True,
          "EvaluationSubmitted, EvaluationRevised, EvaluationWithdrawn, FeedbackDelivered, "
          "VolunteerResponded", "organisations → worker, sink"),
    Topic(RECOGNITION, "volunteer_id", "delete", False, True,
          "StarApplied, StarDecided, CommendationAwarded, CommendationRevoked, PointsRedeemed, "
          "RedemptionReversed, CertificateIssued, CertificateRevoked", "offices → worker, sink"),
    Topic(TRANSFERS, "volunteer_id of the survivor", "delete", False, True,
          "SpanTransferred, CaseTransferred, FactForwarded", "worker → worker, sink"),
    Topic(CATALOGUE, "entity id", "delete", True, True,
          "OrgRegistered, OrgSucceeded, ProjectPublished, ProjectClosed, SitePublished, "
          "SiteOperatorAssigned, ShiftScheduled, ShiftCancelled, ApplicationDecided, "
          "AssignmentWithdrawn, NoShowRecorded, GroupAttendanceRecorded, PolicyPublished, "
          "HolidaysPublished, VolunteerRegistered, VolunteerMerged, VolunteerUnmerged, "
          "VolunteerErased, GuardianConsentRecorded, GuardianConsentWithdrawn",
          "registry → worker, sink"),
    Topic(ACCESS, "volunteer_id", "delete", True, True,
          "VaultAccessed", "vault → sink, sealer"),
    Topic(POSTINGS, "volunteer_id", "delete", False, False,
          "Posting", "worker → sink, subscribers (read_committed)"),
    Topic(ACCOUNTS, "volunteer_id, or a state page of it", "compact", False, False,
          "Account, state pages, PartitionState", "worker → worker, subscribers"),
    Topic(QUARANTINE, "original key", "delete", False, False,
          "Quarantined", "worker → people"),
    Topic(CHECKPOINTS, "partition", "delete", False, False,
          "signed notes of the trees over postings, and over registry.access, as text",
          "sealer → everyone"),
)  # fmt: skip

TOPIC_OF: Final = {
    name: topic.name for topic in ALL if topic.facts for name in topic.carries.split(", ")
}
"""Event type -> the topic it travels on."""

KEY_OF: Final = {
    "OrgRegistered": "org_id",
    "OrgSucceeded": "org_id",
    "ProjectPublished": "project_id",
    "ProjectClosed": "project_id",
    "SitePublished": "site_id",
    "SiteOperatorAssigned": "site_id",
    "ShiftScheduled": "shift_id",
    "ShiftCancelled": "shift_id",
    "ApplicationDecided": "shift_id",
    "AssignmentWithdrawn": "shift_id",
    "NoShowRecorded": "shift_id",
    "GroupAttendanceRecorded": "recording_org_id",
    "PolicyPublished": "policy_id",
    "HolidaysPublished": "calendar_id",
}
"""Event type -> the field that is the record key; volunteer_id where not named."""


def broker_config(topic: Topic, *, producer_time: bool = False) -> dict[str, str]:
    """The topic's settings as the broker names them.

    Facts take the broker's time, so that nobody can back-date what the ledger calls
    `recorded_at`; with `producer_time` (simulations, acceptance cases, history imports) the
    event's own `recorded_at` counts. Outputs always carry their source's time.
    """
    return {
        "cleanup.policy": topic.cleanup,
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "max.message.bytes": str(INPUT_BATCH_BYTES_MAX if topic.facts else OUTPUT_BATCH_BYTES_MAX),
        "message.timestamp.type": (
            "LogAppendTime" if topic.facts and not producer_time else "CreateTime"
        ),
    }
