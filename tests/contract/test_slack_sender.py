"""What we post is what Slack's documentation asks for, and each of its refusals is understood."""

import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.senders import SendFailed, asked_to_wait
from shared.senders.slack import (
    LONGEST_SECTION,
    SlackMessage,
    SlackSender,
    SlackWebhook,
    cut,
    escaped,
    link,
    section,
)

SECRET = "https://hooks.slack.example/services/T000/B000/verysecret"
HELLO = SlackMessage(text="hello", blocks=(section("hello"),))


@asynccontextmanager
async def answering(
    answer: Callable[[httpx.Request], httpx.Response],
) -> AsyncIterator[SlackSender]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        yield SlackSender(client, SlackWebhook(SECRET), within=timedelta(seconds=1))


async def test_a_message_is_text_and_blocks() -> None:
    got: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        got.append(request)
        return httpx.Response(200, text="ok")

    async with answering(answer) as sender:
        await sender.send(HELLO)

    (request,) = got
    assert str(request.url) == SECRET
    assert request.headers["content-type"].startswith("application/json")
    words = {"type": "mrkdwn", "text": "hello", "verbatim": True}
    assert json.loads(request.content) == {
        "text": "hello", "blocks": [{"type": "section", "text": words}],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "said", "permanent", "gone"),
    [
        (400, "invalid_payload", True, False),
        (400, "invalid_blocks", True, False),
        (403, "action_prohibited", True, True),
        (403, "invalid_token", True, True),
        (403, "<html>a proxy</html>", False, False),
        (404, "no_service", True, True),
        (404, "channel_not_found", True, True),
        (410, "channel_is_archived", True, True),
        (413, "", True, False),
        (302, "", False, False),
        (429, "rate_limited", False, False),
        (500, "rollup_error", False, False),
        (500, "no_service", False, False),
        (503, "", False, False),
    ],
)
async def test_a_refusal_is_for_now_for_good_or_says_that_it_is_gone(
    status: int, said: str, *, permanent: bool, gone: bool
) -> None:
    async with answering(lambda _: httpx.Response(status, text=said)) as sender:
        with pytest.raises(SendFailed, match=f"Slack answered {status}") as failed:
            await sender.send(HELLO)

    assert (failed.value.permanent, failed.value.gone) == (permanent, gone)
    assert "html" not in failed.value.detail


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), (None, 30), ("soon", 30)])
async def test_too_many_says_how_long_to_wait(header: str | None, seconds: int) -> None:
    headers = {} if header is None else {"retry-after": header}
    async with answering(lambda _: httpx.Response(429, headers=headers)) as sender:
        with pytest.raises(SendFailed) as failed:
            await sender.send(HELLO)

    assert failed.value.wait == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "wait"),
    [("0", 0), ("120", 120), ("999999999", 3600), (None, None), ("", None), ("-1", None),
     ("1.5", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("1 2", None)],
)  # fmt: skip
def test_retry_after_in_seconds_is_understood(text: str | None, wait: int | None) -> None:
    assert asked_to_wait(text) == (None if wait is None else timedelta(seconds=wait))


async def test_the_address_is_said_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)

    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"cannot reach {request.url}", request=request)

    def echo(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500, text=str(request.url))

    said = [repr(SlackWebhook(SECRET)), SlackWebhook(SECRET).place]
    for answer in (away, echo):
        async with answering(answer) as sender:
            with pytest.raises(SendFailed) as failed:
                await sender.send(HELLO)
        said += [failed.value.detail, repr(failed.value), repr(failed.value.__cause__)]
    with pytest.raises(ValueError, match="begins with https://") as refused:
        SlackWebhook("hooks.slack.example/verysecret")

    assert "verysecret" not in " ".join([*said, str(refused.value), caplog.text])
    assert SlackWebhook(SECRET).place.startswith("https://hooks.slack.example#")
    assert SlackWebhook(SECRET).place != SlackWebhook(SECRET + "2").place


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("a < b & c > d", "a &lt; b &amp; c &gt; d"),
        ("<!channel> look", "&lt;!channel&gt; look"),
        ("<https://evil.example|your bank>", "&lt;https://evil.example|your bank&gt;"),
        (
            "ask @channel, @HERE and @everyone",
            "ask @\u200bchannel, @\u200bHERE and @\u200beveryone",
        ),
        ("anne@example.com", "anne@example.com"),
    ],
)
def test_nothing_that_somebody_wrote_is_more_than_text(text: str, safe: str) -> None:
    assert escaped(text) == safe


@settings(max_examples=50)
@given(st.text(alphabet="<>&@;a! ", max_size=80), st.integers(10, 60))
def test_what_is_cut_stays_escaped(text: str, most: int) -> None:
    short = cut(escaped(text), most)

    assert len(short) <= most
    assert not set(short) & set("<>")
    for entity in short.removesuffix("…").split("&")[1:]:
        assert entity.startswith(("amp;", "lt;", "gt;"))


def test_a_section_is_as_long_as_slack_takes() -> None:
    assert len(section("&amp;" * 5_000)["text"]["text"]) <= LONGEST_SECTION


def test_a_link_cannot_be_broken_out_of() -> None:
    assert link("http://x/?a=1&b=>|c", "more <") == "<http://x/?a=1&amp;b=&gt;%7Cc|more &lt;>"
