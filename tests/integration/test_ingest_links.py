"""Links that lead nowhere, headers that protect, forms that are none."""

import re
from datetime import timedelta

import pytest

from tests.support.ingest import Rig, survey_token, unsubscribe_token


@pytest.fixture
def rig() -> Rig:
    return Rig()


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
