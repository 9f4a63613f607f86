"""Looking again: open alerts that grew are explained afresh, each at its own time.

A look reads all leaves since an onset and scans them, seconds on a busy line. So a minute only
counts what came; an alert that grew is due, by what is stored of it, until somebody looks.
"""

from dataclasses import replace

import msgspec

from services.alerts.domain.alerts import Alert, Change
from services.alerts.domain.answers import minute_of
from services.alerts.domain.cases import Case, Docket, how_due, why_update
from services.alerts.domain.causes import Crossed, share_out
from services.alerts.domain.estimates import Severity, severity
from services.alerts.handlers.bench import Bench
from services.alerts.handlers.locating import Scenes, explain, find_location, measure, move_to


def looks_due(docket: Docket) -> list[Case]:
    """The alerts to be looked at again, those that got worse by grade first, then the most grown.

    One whose minute is still open is counted anew when that is judged, so it waits for that.
    """
    due = [(how_due(case), case) for case in docket.cases.values() if not case.pending]
    due = [(how, case) for how, case in due if how is not None]
    return [case for _, case in sorted(due, key=lambda pair: (pair[0], pair[1].alert.id))]


async def look_again(bench: Bench, case: Case, scenes: Scenes) -> None:
    """Explain an alert afresh by what was judged; it is told again if that is news."""
    told, minute = case.alert, scenes.last
    worse = min(told.severity, severity(told.hurt_per_hour), key=list(Severity).index)
    grown = replace(case, alert=msgspec.structs.replace(told, severity=worse))
    seen = replace(grown, alert=await _explain_again(bench, grown, scenes, minute))
    if why_update(seen, told) is None:
        bench.docket.put(replace(case, looked_n=told.n))
        return
    alert = await explain(bench, seen.alert, minute)
    seen = replace(seen, alert=alert.revised(bench.now), looked_n=alert.n)
    bench.docket.put(seen, Change.UPDATED)


async def _explain_again(bench: Bench, case: Case, scenes: Scenes, minute: int) -> Alert:
    """Explain an open alert afresh: another explanation only if the told one leaves a slice out.

    It does not move to where another alert is: a part stays a part, and nothing is told twice.
    """
    alert = case.alert
    scene = await scenes.since(minute_of(alert.began_at))
    told = [one.segment for one in alert.slices]
    elsewhere = [
        one.segment
        for other in bench.docket.cases.values()
        if other.alert.id != alert.id
        for one in other.alert.slices
    ]
    others = [one for one in elsewhere if not any(one.items() <= mine.items() for mine in told)]
    stream = Crossed(
        segment=alert.raised_segment,
        rate=alert.detractor_rate.baseline,
        dispersion=bench.dispersion,
        margin=0.0,
        answers=alert.n,
        detractors=alert.detractors,
    )
    location = None
    if find_location(bench, scene, stream, [*others, *told]) is not None:
        location = find_location(bench, scene, stream, others)
    if location is None or any(one.segment in elsewhere for one in location.slices):
        leaves = scene.leaves.explained_by(others)
        alert = alert.placed(share_out(leaves, told))
    else:
        alert = move_to(bench, alert, location, scene, minute)
    return await measure(bench, alert, scene.mass_within(alert.segment), minute)
