"""The pages over HTTP, without JavaScript: what is shown, what is recorded, what protects them."""

import re
from html import unescape

import httpx
import pytest

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


async def test_a_comment_beside_the_score_is_never_dropped(rig: Rig) -> None:
    form = {"score": "2", "comment": "slow", "reasons": "waiting-time"}

    async with rig.client() as client:
        reply = await client.post(f"/s/{survey_token('post-call')}", data=form)

    assert reply.status_code == 303
    (answer,) = rig.producer.answers()
    assert (answer.answers.comment, answer.answers.reasons) == ("slow", ("waiting-time",))


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
