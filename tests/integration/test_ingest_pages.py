"""The pages over HTTP, without JavaScript: what is shown, what is recorded, what protects them."""

import re
from datetime import timedelta
from html import unescape

import httpx
import pytest

from services.ingest.pages import TriggerOptOuts
from shared.events import Topic
from shared.programme.chrome import chrome
from tests.support.ingest import INVITATION, PROGRAMME, Rig, survey_token, unsubscribe_token

LANGUAGES = ("en", "de", "ko", "th")


@pytest.fixture
def rig() -> Rig:
    return Rig()


def shown(reply: httpx.Response) -> str:
    return unescape(reply.text)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("survey", sorted(PROGRAMME.surveys))
async def test_each_survey_is_shown_in_each_language(rig: Rig, survey: str, language: str) -> None:
    asked = PROGRAMME.surveys[survey]
    high = asked.scale[1]

    async with rig.client() as client:
        reply = await client.get(f"/s/{survey_token(survey, language)}?score={high}&utm_source=x")

    assert reply.status_code == 200
    assert f'<html lang="{language}">' in reply.text
    assert asked.question.text(language).replace("{brand}", PROGRAMME.brand) in shown(reply)
    assert chrome(language)[f"{asked.metric}_high"] in shown(reply)
    assert len(re.findall('type="radio"', reply.text)) == len(asked.rules.points)
    assert re.findall(r'value="(\d+)"[^>]* checked', reply.text) == [str(high)]
    assert "{" not in re.sub(r"<style>.*</style>", "", reply.text, flags=re.DOTALL)


@pytest.mark.parametrize("score", ["", "11", "-1", "9.5", "x", "٣", "²", "9&score=3"])
async def test_a_score_in_the_link_is_only_ever_a_proposal(rig: Rig, score: str) -> None:
    async with rig.client() as client:
        reply = await client.get(f"/s/{survey_token('post-delivery')}?score={score}")

    assert reply.status_code == 200
    assert re.findall(r'value="(\d+)"[^>]* checked', reply.text) in ([], ["3"])


async def test_looking_records_nothing(rig: Rig) -> None:
    async with rig.client() as client:
        for path in (f"/s/{survey_token()}?score=1", f"/u/{unsubscribe_token()}"):
            for _ in range(20):
                assert (await client.get(path)).status_code == 200
                assert (await client.head(path)).status_code == 200

    assert (rig.producer.calls, rig.optouts.recorded) == (0, [])


async def test_the_score_counts_before_the_follow_up(rig: Rig) -> None:
    token = survey_token("post-call", "de")

    async with rig.client() as client:
        reply = await client.post(f"/s/{token}", data={"score": "2"})
        assert (reply.status_code, reply.headers["location"]) == (303, f"/s/{token}/thanks")
        thanks = await client.get(reply.headers["location"])

    (answer,) = rig.producer.answers()
    assert (answer.id, answer.invitation_id, answer.survey) == (INVITATION, INVITATION, "post-call")
    assert (answer.answers.score, answer.channel, answer.language) == (2, "web", "de")
    survey = PROGRAMME.surveys["post-call"]
    assert survey.follow_up.detractor.text("de") in shown(thanks)
    assert all(text.text("de") in shown(thanks) for text in survey.reasons.values())


@pytest.mark.parametrize(("score", "klass"), [(1, "detractor"), (3, "passive"), (5, "promoter")])
async def test_the_follow_up_is_that_of_the_class(rig: Rig, score: int, klass: str) -> None:
    token = survey_token("post-call")

    async with rig.client() as client:
        reply = await client.post(f"/s/{token}", data={"score": str(score)}, follow_redirects=True)

    question = getattr(PROGRAMME.surveys["post-call"].follow_up, klass)
    assert question.text("en") in shown(reply)


async def test_the_follow_up_amends_the_answer(rig: Rig) -> None:
    token = survey_token("post-call")
    form = {
        "stage": "follow-up",
        "score": "2",
        "reasons": ["waiting-time", "no-such-reason", "waiting-time"],
        "comment": " line\r\nline\x00 <b>",
    }

    async with rig.client() as client:
        await client.post(f"/s/{token}", data={"score": "2"})
        reply = await client.post(f"/s/{token}", data=form, follow_redirects=True)

    first, last = rig.producer.answers()
    assert first.id == last.id == INVITATION
    assert last.answers.reasons == ("waiting-time",)
    assert last.answers.comment == "line\nline <b>"
    assert last.answered_at > first.answered_at
    assert PROGRAMME.surveys["post-call"].thanks.text("en") in shown(reply)
    assert "<textarea" not in reply.text


async def test_without_cookies_the_thanks_still_take_a_comment(rig: Rig) -> None:
    token = survey_token("post-call")

    async with rig.client() as client:
        reply = await client.get(f"/s/{token}/thanks")

    assert 'type="radio"' in reply.text
    assert "<textarea" in reply.text


@pytest.mark.parametrize("score", [None, "", "6", "0", "two", "99999999999"])
async def test_a_missing_number_is_asked_for_again(rig: Rig, score: str | None) -> None:
    token = survey_token("post-call", "th")

    async with rig.client() as client:
        reply = await client.post(f"/s/{token}", data={} if score is None else {"score": score})

    assert reply.status_code == 422
    assert 'role="alert"' in reply.text
    assert chrome("th")["choose_number"].format(low=1, high=5) in shown(reply)
    assert rig.producer.sent == []


async def test_a_comment_too_long_comes_back_to_be_shortened(rig: Rig) -> None:
    form = {"stage": "follow-up", "score": "2", "comment": "x" * 10_001, "reasons": "solution"}

    async with rig.client() as client:
        reply = await client.post(f"/s/{survey_token('post-call')}", data=form)

    assert reply.status_code == 422
    assert "x" * 10_001 in reply.text
    assert re.search(r'value="solution" checked', reply.text)


async def test_kafka_away_gives_the_form_back_filled_in(rig: Rig) -> None:
    rig.producer.away = True
    token = survey_token("post-call", "ko")
    follow_up = {"stage": "follow-up", "score": "2", "comment": "<너무> 느려요"}

    async with rig.client() as client:
        first = await client.post(f"/s/{token}", data={"score": "2"})
        second = await client.post(f"/s/{token}", data=follow_up)

    assert (first.status_code, second.status_code) == (503, 503)
    assert int(first.headers["retry-after"]) > 0
    assert chrome("ko")["unavailable_title"] in shown(first)
    assert re.findall(r'value="(\d+)"[^>]* checked', first.text) == ["2"]
    assert "&lt;너무&gt; 느려요</textarea>" in second.text


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_links_that_lead_nowhere_are_pages_too(rig: Rig, method: str) -> None:
    expired = survey_token("post-call", "de", timedelta(seconds=-1))
    gone = survey_token("gone", "ko")

    async with rig.client() as client:
        replies = [
            await client.request(method, path, headers={"accept-language": "xx, th;q=0.8, de"})
            for path in (
                "/s/forged",
                "/u/forged",
                f"/u/{survey_token()}",
                f"/s/{expired}",
                f"/s/{gone}",
            )
        ]

    assert [reply.status_code for reply in replies] == [404, 404, 404, 410, 410]
    assert [re.findall('lang="(..)"', reply.text)[0] for reply in replies] == [
        "th",
        "th",
        "th",
        "de",
        "ko",
    ]
    assert rig.producer.calls == 0


async def test_every_page_is_protected(rig: Rig) -> None:
    token = survey_token()

    async with rig.client() as client:
        replies = [
            await client.get(f"/s/{token}"),
            await client.post(f"/s/{token}", data={"score": "1"}),
            await client.get(f"/s/{token}/thanks"),
            await client.get(f"/u/{unsubscribe_token()}"),
            await client.get("/s/forged"),
        ]

    for reply in replies:
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert reply.headers["cache-control"] == "no-store"
        assert "<script" not in reply.text
    cookie = replies[1].headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert f"Path=/s/{token}" in cookie
    assert "Secure" not in cookie


async def test_behind_https_and_a_path_the_links_keep_both() -> None:
    rig = Rig(settings={"public_url": "https://feedback.example.org/earshot/"})
    token = survey_token()

    async with rig.client() as client:
        page = await client.get(f"/s/{token}")
        moved = await client.post(f"/s/{token}", data={"score": "1"})

    assert f'action="/earshot/s/{token}"' in page.text
    assert moved.headers["location"] == f"/earshot/s/{token}/thanks"
    assert "Secure" in moved.headers["set-cookie"]
    assert "strict-transport-security" in page.headers


async def test_forms_of_another_kind_or_size_are_refused(rig: Rig) -> None:
    path = f"/s/{survey_token()}"
    form = {"content-type": "application/x-www-form-urlencoded"}

    async with rig.client() as client:
        kind = await client.post(path, json={"score": 1})
        size = await client.post(path, data={"score": "1", "comment": "x" * 70_000})
        fields = await client.post(path, content="a=1&" * 500, headers=form)

    assert [reply.status_code for reply in (kind, size, fields)] == [415, 413, 400]


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
