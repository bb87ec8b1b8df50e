"""A province in small: who serves whom, where and when. Every choice is drawn from one seed.

Social-work organisations own the projects; most are staffed by volunteers whom a volunteer
organisation recruits and records. Projects run for thirty days, then new ones follow.
"""

from dataclasses import dataclass
from random import Random

from producers.zones import utc_offsets
from schemas.events import (
    CatalogueEvent,
    OrgRegistered,
    PolicyPublished,
    ProjectClosed,
    ProjectPublished,
    ShiftScheduled,
    SitePublished,
)
from schemas.times import DAY, HOUR, MINUTE

PERIOD_DAYS = 30
_EXCHANGE_ZONE = "Asia/Tokyo"
_EXCHANGE_MINUTES = 540
_CHINA_MINUTES = 480
_EMERGENCY_POLICY = "emergency"

_REGIONS = ("440103", "440305", "440604", "441202", "441403", "445102")
_BRANDS = ("chaoyang", "daocaoren", "jiankang-tongxing", "kangyuan", None, None)
_FIELDS = (
    ("governance", "社会治理"),
    ("community", "社区服务"),
    ("elderly_children", "一老一小"),
    ("disabled_poor", "一残一困"),
    ("emergency", "应急救援"),
)
_ACTIVITIES = ("visit", "teach", "clean")
_SHIFT_HOURS = ((8, 3), (9, 3), (14, 3), (14, 4), (18, 2), (19, 2))
_NIGHT_HOURS = (21, 5)


@dataclass(frozen=True, slots=True)
class Org:
    """An organisation: social-work or volunteer."""

    id: str
    kind: str
    name: str
    region: str


@dataclass(frozen=True, slots=True)
class Site:
    """A service place and its civil time's offset from UTC."""

    id: str
    name: str
    org: Org
    zone: str
    offset_minutes: int


@dataclass(frozen=True, slots=True)
class Project:
    """A project: who owns and hosts it, who recruits and records, what is done and where."""

    id: str
    name: str
    host: Org
    recorder: Org
    site: Site
    field: str
    brand: str | None
    policy: str | None
    start_on: int


@dataclass(frozen=True, slots=True)
class Shift:
    """A planned piece of work; times in microseconds since 1970 UTC."""

    id: str
    activity_id: str
    project: Project
    start_at: int
    end_at: int


@dataclass(frozen=True, slots=True)
class Province:
    """The organisations and their sites, which stay."""

    orgs: tuple[Org, ...]
    sites: tuple[Site, ...]


def found(rng: Random, volunteers: int) -> Province:
    """A province with as many organisations as so many volunteers need."""
    pairs = min(max(volunteers // 120, 2), 100)
    orgs = []
    for number in range(1, pairs + 1):
        region = rng.choice(_REGIONS)
        orgs.append(Org(f"sw{number}", "social_work", f"第{number}社会工作服务中心", region))
        orgs.append(Org(f"vo{number}", "volunteer", f"第{number}志愿服务队", region))
    social = orgs[::2]
    sites = [
        Site(f"site-{org.id}", f"{org.name}站点", org, "Asia/Shanghai", _CHINA_MINUTES)
        for org in social
    ]
    sites.append(
        Site("site-exchange", "境外交流站点", social[0], _EXCHANGE_ZONE, _EXCHANGE_MINUTES)
    )
    return Province(tuple(orgs), tuple(sites))


def projects(rng: Random, province: Province, period: int, start_on: int) -> tuple[Project, ...]:
    """The projects of one period, one at each site."""
    found = []
    for number, site in enumerate(province.sites, start=1):
        field, title = rng.choice(_FIELDS)
        volunteer_orgs = [org for org in province.orgs if org.kind == "volunteer"]
        linked = rng.random() < 0.6
        found.append(
            Project(
                id=f"p{period + 1}-{number}",
                name=f"{title}第{period + 1}期{number}号项目",
                host=site.org,
                recorder=rng.choice(volunteer_orgs) if linked else site.org,
                site=site,
                field=field,
                brand=rng.choice(_BRANDS),
                policy=_EMERGENCY_POLICY if field == "emergency" else None,
                start_on=start_on,
            )
        )
    return tuple(found)


def shifts(
    rng: Random, running: tuple[Project, ...], day: int, count: int, night_share: float
) -> list[Shift]:
    """So many shifts on a local day (days since 1970), by start."""
    made = []
    for number in range(1, count + 1):
        project = rng.choice(running)
        night = rng.random() < night_share
        hour, hours = _NIGHT_HOURS if night else rng.choice(_SHIFT_HOURS)
        start_at = day * DAY + hour * HOUR - project.site.offset_minutes * MINUTE
        activity_id = f"a-{project.id}-{rng.choice(_ACTIVITIES)}"
        made.append(
            Shift(f"sh{day}-{number}", activity_id, project, start_at, start_at + hours * HOUR)
        )
    return sorted(made, key=lambda shift: (shift.start_at, shift.id))


def org_event(event_id: str, org: Org, at: int) -> CatalogueEvent:
    """The registration of an organisation."""
    return OrgRegistered(event_id, org.id, org.kind, org.name, None, org.region, at, None)


def site_event(event_id: str, site: Site, at: int) -> CatalogueEvent:
    """The publication of a site, with its civil time."""
    return SitePublished(
        event_id, site.id, site.name, site.org.id, site.org.region, site.zone,
        utc_offsets(site.zone), at, None,
    )  # fmt: skip


def project_event(event_id: str, project: Project, at: int) -> CatalogueEvent:
    """The publication of a project."""
    return ProjectPublished(
        event_id, project.id, project.host.id, project.name, project.brand, project.field,
        project.policy, project.start_on, project.start_on + PERIOD_DAYS - 1, at, None,
        () if project.recorder is project.host else (project.recorder.id,),
    )  # fmt: skip


def closed_event(event_id: str, project: Project, at: int) -> CatalogueEvent:
    """The end of a project, the day before."""
    return ProjectClosed(event_id, project.id, (at + 8 * HOUR) // DAY - 1, at, None)


def shift_event(event_id: str, shift: Shift, at: int) -> CatalogueEvent:
    """The scheduling of a shift."""
    return ShiftScheduled(
        event_id, shift.id, shift.activity_id, shift.project.id, shift.project.site.id,
        shift.start_at, shift.end_at, 20, at, None,
    )  # fmt: skip


def policy_event(event_id: str, at: int) -> CatalogueEvent:
    """The policy of emergency rescue: longer open sessions, a longer late window."""
    return PolicyPublished(
        event_id, _EMERGENCY_POLICY, 1, at // DAY - 1, 1080, 1440, 20160, 5, at, None
    )
