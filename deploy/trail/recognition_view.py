"""How answers about evaluations and recognition look on a terminal."""

from deploy.lang import text
from deploy.terminal.tables import cell, console, table
from deploy.trail.trail_view import Answer, beside, hours, say_merged


def show_evaluations(answer: Answer) -> None:
    """Every evaluation with its latest scores, then the means of those that stand."""
    out = console()
    rows = []
    for one in answer["evaluations"]:
        latest = next(version for version in one["versions"] if version["latest"])
        scores = " ".join(f"{name} {score}" for name, score in latest["scores"].items())
        flags = [
            "" if one["stands"] else text("已撤回", "withdrawn"),
            text("逾期", "late") if one["late"] else "",
            text("已告知", "told") if one["delivered_at"] else "",
            *(text("同意", "agrees") if said["agrees"] else text("不同意", "disagrees")
              for said in one["responses"]),
        ]  # fmt: skip
        rows.append((one["evaluation_id"], one["volunteer_id"],
                     beside(answer, "project", one["project_id"]),
                     beside(answer, "org", one["evaluator_org_id"]), scores, len(one["versions"]),
                     " ".join(filter(None, flags))))  # fmt: skip
    columns = (text("编号", "id"), text("志愿者", "volunteer"), text("项目", "project"),
               text("组织", "org"), text("分数", "scores"), text(">版本", ">versions"),
               "")  # fmt: skip
    out.print(table("", columns, rows))
    for mean in answer["means"]:
        name = mean["dimension"] or text("全部", "all")
        out.print(cell(f"  {name}: {mean['mean']} ({mean['sum']}/{mean['count']})"))


def show_unevaluated(answer: Answer) -> None:
    """Who served in a closed project and was not evaluated in time."""
    out = console()
    out.print(text(f"逾期未评定 {answer['count']} 人", f"not evaluated in time: {answer['count']}"))
    if answer["deadline_unknown"]:
        named = ", ".join(answer["deadline_unknown"])
        out.print(
            text(
                f"缺当年的工作日日历,无从判断期限的项目:{named}",
                f"projects whose deadline is unknown, for want of a calendar: {named}",
            )
        )
    rows = [
        (beside(answer, "project", row["project_id"]), row["volunteer_id"], hours(row["minutes"]),
         row["deadline"], row["days_over"])
        for row in answer["rows"]
    ]  # fmt: skip
    columns = (text("项目", "project"), text("志愿者", "volunteer"), text(">时长", ">time"),
               text("期限", "deadline"), text(">逾期天数", ">days over"))  # fmt: skip
    if rows:
        out.print(table("", columns, rows))


def show_recognition(answer: Answer) -> None:
    """Stars, points, commendations, certificates of one volunteer."""
    out, stars, points = console(), answer["stars"], answer["points"]
    say_merged(out, answer)
    out.print(cell(answer["volunteer_id"]), f" {hours(answer['minutes'])} ({answer['policy']})",
              sep="")  # fmt: skip
    reach, needed = stars["eligible"], stars["next_hours"]
    out.print(
        text(f"  星级:已授予 {stars['awarded']},工时可达 {reach}",
             f"  stars: awarded {stars['awarded']}, hours reach {reach}"),
        "" if needed is None else text(f",下一级 {needed} 小时", f", the next at {needed} h"),
        sep="",
    )  # fmt: skip
    for change in stars["changes"]:
        out.print(cell(f"    {change['recorded_at']} {change['from']} → {change['to']}  "
                       f"{hours(change['minutes'])}  {change['event_id']}"))  # fmt: skip
    for one in stars["applications"]:
        out.print(cell(f"    {one['application_id']} {one['star']}★ {_status(one['status'])}"))
    out.print(text(
        f"  积分:获得 {points['earned']},兑换 {points['redeemed']},退回 {points['reversed']},"
        f"余额 {points['balance']}",
        f"  points: earned {points['earned']}, redeemed {points['redeemed']}, returned "
        f"{points['reversed']}, balance {points['balance']}",
    ))  # fmt: skip
    if answer["training"]["entries"]:
        out.print(text("  培训 ", "  training "), hours(answer["training"]["minutes"]), sep="")
    for one in answer["training"]["entries"]:
        out.print(cell(f"    {one['service_date']} {one['name']} {hours(one['minutes'])}"))
    for label, key, name in (
        (text("表彰", "commendation"), "commendations", "commendation_id"),
        (text("证明", "certificate"), "certificates", "certificate_id"),
    ):
        for one in answer[key]:
            back = text(" 已撤销", " revoked") if one["revoked"] else ""
            out.print(cell(f"  {label} {one[name]} {one.get('name', '')}{back}"))


def _status(status: str) -> str:
    return {
        "pending": text("待决定", "waits for a decision"),
        "awarded": text("已授予", "awarded"),
        "rejected": text("未授予", "not awarded"),
        "in_review": text("工时已不足,待授予机构复核", "hours are gone, its body reviews it"),
    }[status]
