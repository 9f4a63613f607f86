"""The way out of surveys: a GET changes nothing, a POST is never lost."""

from html import unescape

import httpx
import pytest

from services.ingest.pages import TriggerOptOuts
from shared.events import Topic
from shared.programme.chrome import chrome
from tests.support.ingest import INVITATION, Rig, unsubscribe_token

LANGUAGES = ("en", "de", "ko", "th")


@pytest.fixture
def rig() -> Rig:
    return Rig()


def shown(reply: httpx.Response) -> str:
    return unescape(reply.text)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_one_click_opts_out_again_and_again(rig: Rig, language: str) -> None:
    path = f"/u/{unsubscribe_token(language)}"

    async with rig.client() as client:
        page = await client.get(path)
        replies = [
            await client.post(path, data={"List-Unsubscribe": "One-Click"}),
            await client.post(path, files={"List-Unsubscribe": (None, "One-Click")}),
            await client.post(path),
        ]

    assert f'lang="{language}"' in page.text
    assert chrome(language)["unsubscribe_button"] in shown(page)
    assert [reply.status_code for reply in replies] == [200] * 3
    assert chrome(language)["unsubscribed_title"] in shown(replies[0])
    assert rig.optouts.recorded == [INVITATION] * 3
    assert rig.producer.sent == []


async def test_an_opt_out_waits_on_kafka_while_trigger_is_away(rig: Rig) -> None:
    rig.optouts.away = True

    async with rig.client() as client:
        reply = await client.post(f"/u/{unsubscribe_token('de')}")

    assert reply.status_code == 202
    assert chrome("de")["unsubscribe_noted_title"] in shown(reply)
    (record,) = rig.producer.on(Topic.SURVEY_OPTOUTS)
    assert (record["invitation_id"], record["channels"]) == (INVITATION, [])
    assert record["at"].endswith("Z")


async def test_an_opt_out_that_nobody_took_is_not_confirmed(rig: Rig) -> None:
    rig.optouts.away = rig.producer.away = True

    async with rig.client() as client:
        reply = await client.post(f"/u/{unsubscribe_token()}")

    assert reply.status_code == 503
    assert "retry-after" in reply.headers
    assert chrome("en")["unsubscribe_failed_title"] in reply.text
    assert "<button" in reply.text


@pytest.mark.parametrize(
    ("status", "taken"), [(200, True), (201, True), (404, False), (403, False), (503, False)]
)
async def test_trigger_is_told_with_its_key(status: int, taken: bool) -> None:
    seen: list[httpx.Request] = []

    def trigger(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(status)

    async with httpx.AsyncClient(transport=httpx.MockTransport(trigger)) as client:
        optouts = TriggerOptOuts(client, "http://trigger:8003/", "esk_x")
        assert await optouts.record(INVITATION) is taken

    (request,) = seen
    assert str(request.url) == "http://trigger:8003/v1/suppressions"
    assert request.headers["authorization"] == "Bearer esk_x"
    assert b'"invitation_id":"' + INVITATION.encode() in request.content
    assert b'"reason":"opted-out"' in request.content


async def test_a_trigger_that_does_not_answer_is_away() -> None:
    def trigger(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    async with httpx.AsyncClient(transport=httpx.MockTransport(trigger)) as client:
        assert not await TriggerOptOuts(client, "http://trigger", "").record(INVITATION)
