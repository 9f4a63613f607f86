"""Customers of a running system: of the past, on the phone, and in trouble."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

from services.commands.made_up import Company
from tests.support.asked import call_ended, link_in, mail_to
from tests.support.incidents import judged_to
from tests.support.prometheus import Prometheus
from tests.support.system import System

DAYS, A_DAY, BATCH = 8, 300, 800
CALLS = 6
LEAST_S, MOST_S = 20.0, 180.0


async def history(system: System, company: Company) -> None:
    """Days of answers, judged."""
    end = datetime.now(UTC) - timedelta(minutes=2)
    bodies = list(company.history(end, days=DAYS, a_day=A_DAY))
    for start in range(0, len(bodies), BATCH):
        part = bodies[start : start + BATCH]
        items = (await system.post("ingest", "/v1/responses/batch", part)).json()["items"]
        assert {item["status"] for item in items} == {"accepted"}
    last = datetime.fromisoformat(bodies[-1]["answered_at"]) - timedelta(minutes=1)
    async with asyncio.timeout(60):
        while (at := await judged_to(system)) is None or at < last:
            await asyncio.sleep(0.2)


async def asked(system: System, already: int) -> None:
    """Callers who are asked by mail: some answer, one wants to hear no more."""
    for number in range(already, already + CALLS):
        assert (await system.post("ingest", "/v1/events", call_ended(number))).status_code == 202
    mails = {_caller(mail): mail for mail in await mail_to(system, already + CALLS)}
    first, *others = (mails[number] for number in range(already, already + CALLS))
    for message in others:
        url = f"{system.urls['ingest']}{link_in(message)}"
        assert (await system.http.post(url, data={"score": "5"})).status_code == 303
    no_more = re.search(r"/u/[\w.-]+", first["List-Unsubscribe"])
    assert no_more is not None
    assert (await system.http.post(f"{system.urls['ingest']}{no_more[0]}")).status_code == 200
    again = call_ended(already) | {"id": f"again-{already}"}
    assert (await system.post("ingest", "/v1/events", again)).status_code == 202
    assert (await system.post("ingest", "/v1/responses", {"metric": "nps"})).status_code == 422


def _caller(mail: EmailMessage) -> int:
    return int(re.sub(r"\D", "", mail["To"].partition("@")[0]))


async def live(system: System, company: Company, prometheus: Prometheus) -> None:
    """Answers with a fault in them until the alarm came and the promise is audited."""
    company.faulty = True
    loop = asyncio.get_running_loop()
    began = loop.time()
    while loop.time() - began < MOST_S:
        await system.post("ingest", "/v1/responses", company.answer())
        await system.post("ingest", "/v1/responses/batch", [company.answer() for _ in range(20)])
        await system.get("scoring", "/v1/scores", metric="nps", by="region,product")
        await asyncio.sleep(0.4)
        seen = await prometheus.query(
            "sum(earshot_alerts_open) > 0 and sum(increase(earshot_alerts_raised_total[2m])) > 0"
            " and sum(rate(earshot_alerts_delivery_seconds_count[2m])) > 0"
            " and sum(earshot_alerts_audited_timestamp_seconds) > 0"
            # a rate takes two samples of a series, and this one begins with the first alarm
            ' and sum(count_over_time(earshot_producer_records_total{service="alerts"}[2m])) > 2'
        )
        if seen and loop.time() - began > LEAST_S:
            return
    raise AssertionError(f"no alarm, or no audit; log:\n{system.log()[-3000:]}")
