"""What an operator types: read, or answered with what is accepted."""

from datetime import timedelta

import pytest

from services.commands.deadletters.arguments import Asked, Filter, read_arguments
from services.commands.deadletters.texts import legible, plain, pretty
from shared.errors import Reason
from shared.stream.letters import LetterId, read_letter
from tests.support.letters import NOW, as_record, failed


def asked(*arguments: str) -> Asked:
    return read_arguments(arguments, NOW)


def test_nothing_said_means_list() -> None:
    assert asked() == Asked(verb="list", wanted=Filter())
    assert asked("--service", "trigger", "--json").wanted.services == {"trigger"}


def test_filters_narrow_and_repeat() -> None:
    found = asked("replay", "--reason", "bad-json", "--reason", "bug", "--dry-run", "--limit", "5")

    assert found.wanted.reasons == {"bad-json", "bug"}
    assert (found.dry_run, found.again, found.limit) == (True, False, 5)


def test_a_time_is_a_moment_or_a_duration_ago() -> None:
    assert asked("--since", "2h").wanted.since == "2026-11-21T01:00:00.000000Z"
    assert (
        asked("--until", "2026-11-21T12:00:00+09:00").wanted.until == "2026-11-21T03:00:00.000000Z"
    )


def test_letters_are_taken_by_each_filter() -> None:
    letter = read_letter(as_record(failed(ago=timedelta(hours=1)), 3, 17))

    def takes(*arguments: str) -> bool:
        return asked(*arguments).wanted.takes(letter)

    assert takes("--reason", "bad-json", "--topic", "survey-responses", "--service", "scoring")
    assert not takes("--reason", "bug")
    assert not takes("--topic", "transactions")
    assert not takes("--service", "alerts")
    assert takes("--since", "1h")
    assert not takes("--since", "59m")
    assert takes("--until", "59m")
    assert not takes("--until", "1h")
    assert takes("show", "3@17", "4@1")
    assert not takes("show", "3@18")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["replay", "--reason", "bad_json"], ["did you mean bad-json?", *Reason]),
        (["--topic", "survey-response"], ["did you mean survey-responses?", "transactions"]),
        (["--service", "scorign"], ["did you mean scoring?", "alerts"]),
        (["replay"], ["--reason bad-json|", "--id 3@17"]),
        (["replay", "--topic", "transactions"], ["--reason bad-json|"]),
        (["show", "3-17"], ["partition@offset, such as 3@17"]),
        (["show", "3@x"], ["partition@offset"]),
        (["--since", "yesterday"], ["2026-11-21T03:00:00Z", "2h"]),
        (["--since", "2026-11-21"], ["with its offset"]),
        (["--since", "0001-01-01T00:00:00+14:00"], ["is no time"]),
        (["--limit", "0"], ["a whole number from 1"]),
        (["replya"], ["list", "show", "replay"]),
        (["list", "--again"], ["--again"]),
    ],
)
def test_a_mistake_ends_with_2_and_says_what_is_accepted(
    arguments: list[str], said: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        asked(*arguments)

    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert [words for words in said if words not in error] == []


def test_ten_are_shown_unless_more_are_asked_for_or_named() -> None:
    assert asked("show").limit == 10
    assert asked("show", "--limit", "99").limit == 99
    named = asked("show", "3@17")
    assert named.limit is None
    assert named.wanted.ids == {LetterId(3, 17)}


def test_foreign_text_commands_no_terminal() -> None:
    assert plain("a\x1b[2Jb\u202ec\nd") == "a\\x1b[2Jb\\u202ec\nd"
    assert legible("é\n\x07".encode()) == '"é\\n\\x07"'
    assert legible(b"\xff\x1b") == "b'\\xff\\x1b'"
    assert legible(None) == "none"
    assert legible(b"") == '""'


def test_json_is_laid_out_only_where_nothing_is_lost_by_it() -> None:
    assert pretty('{"a":["é",1]}'.encode()) == ("JSON", '{\n  "a": [\n    "é",\n    1\n  ]\n}')
    assert pretty(b'{"a":1,"a":2}') == ("text", '{"a":1,"a":2}')
    assert pretty(b"{") == ("text", "{")
    assert pretty(b"[" * 100_000)[0] == "text"
    assert pretty(b"\xff{") == ("not UTF-8", "b'\\xff{'")
    assert pretty(b'"\\u009b2J"') == ("JSON", '"\\x9b2J"')
