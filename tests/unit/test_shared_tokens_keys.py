import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.errors import Forbidden, NotFound, Unauthorised
from shared.keys import KeyFile, new_key
from shared.settings import SettingsFault
from shared.tokens import Tokens

OLD, NEW = "o" * 32, "n" * 32
LATER = datetime(2027, 1, 1, tzinfo=UTC)


def test_a_survey_token_carries_its_invitation() -> None:
    token = Tokens([NEW]).survey("i-1", "post-call", "de", LATER)

    read = Tokens([NEW]).read_survey(token)

    assert (read.invitation_id, read.survey, read.language) == ("i-1", "post-call", "de")
    assert read.expires_at == LATER


def test_the_last_key_signs_and_older_keys_still_read() -> None:
    before = Tokens([OLD]).survey("i-1", "post-call", "de", LATER)
    after = Tokens([OLD, NEW]).survey("i-1", "post-call", "de", LATER)

    assert Tokens([OLD, NEW]).read_survey(before).invitation_id == "i-1"
    assert Tokens([NEW]).read_survey(after).invitation_id == "i-1"
    with pytest.raises(NotFound):
        Tokens([NEW]).read_survey(before)


def test_a_token_serves_one_purpose_only() -> None:
    tokens = Tokens([NEW])

    with pytest.raises(NotFound):
        tokens.read_survey(tokens.unsubscribe("i-1", "post-call", "de"))
    with pytest.raises(NotFound):
        tokens.read_unsubscribe(tokens.survey("i-1", "post-call", "de", LATER))


@pytest.mark.parametrize("forged", ["", "x", "a.b.c", "ÄÖ", "W10.invalid"])
def test_a_forged_token_is_not_found(forged: str) -> None:
    with pytest.raises(NotFound):
        Tokens([NEW]).read_survey(forged)


@pytest.mark.parametrize(
    "tail", ["=", '="<x>', "=; Domain=x", "=\r\nSet-Cookie: a=b", "=é", '";<>']
)
def test_a_token_with_anything_after_it_is_not_found(tail: str) -> None:
    tokens = Tokens([NEW])

    with pytest.raises(NotFound):
        tokens.read_survey(tokens.survey("i-1", "post-call", "de", LATER) + tail)
    with pytest.raises(NotFound):
        tokens.read_unsubscribe(tokens.unsubscribe("i-1", "post-call", "de") + tail)


@pytest.mark.parametrize("keys", [[], ["short"]])
def test_keys_that_protect_nothing_are_refused(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="at least one key"):
        Tokens(keys)


def keys_file(path: Path, scopes: list[str], expires: str | None = None) -> str:
    text, digest = new_key("shop")
    entry = {"id": "shop", "sha256": digest, "scopes": scopes, "expires": expires}
    path.write_text(json.dumps([entry]))
    return text


def test_a_key_opens_its_scopes_and_no_other(tmp_path: Path) -> None:
    key = keys_file(tmp_path / "keys.json", ["scores:read"])
    keys = KeyFile(tmp_path / "keys.json")

    assert keys.check(f"Bearer {key}", "scores:read") == "shop"
    with pytest.raises(Forbidden, match="alerts:write"):
        keys.check(f"Bearer {key}", "alerts:write")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer esk_shop_wrong", "Basic abc"])
def test_without_a_valid_key_nothing_opens(tmp_path: Path, header: str | None) -> None:
    keys_file(tmp_path / "keys.json", ["*"])

    with pytest.raises(Unauthorised):
        KeyFile(tmp_path / "keys.json").check(header, "scores:read")


def test_an_expired_key_is_refused(tmp_path: Path) -> None:
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    key = keys_file(tmp_path / "keys.json", ["*"], past)

    with pytest.raises(Unauthorised):
        KeyFile(tmp_path / "keys.json").check(f"Bearer {key}", "scores:read")


def test_a_changed_file_is_read_again_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    first = keys_file(path, ["*"])
    keys = KeyFile(path)
    second = keys_file(path, ["*", "scores:read"])

    assert keys.check(f"Bearer {second}", "scores:read") == "shop"
    with pytest.raises(Unauthorised):
        keys.check(f"Bearer {first}", "scores:read")
    path.write_text("[{")
    assert keys.check(f"Bearer {second}", "scores:read") == "shop"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": ""}, "$[0].id"),
        ({"sha256": "abc"}, "$[0].sha256"),
        ({"scopes": ["score:read"]}, "scores:read"),
        ({"scopes": "*"}, "$[0].scopes"),
        ({"expires": "2027-01-01T00:00:00"}, "$[0].expires"),
        ({"expires": "soon"}, "$[0].expires"),
        ({"scope": ["*"]}, "scope"),
    ],
)
def test_a_keys_file_that_cannot_be_used_says_where_and_why(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    path = tmp_path / "keys.json"
    entry = {"id": "shop", "sha256": "a" * 64, "scopes": ["*"], "expires": None}
    path.write_text(json.dumps([entry | change]))

    with pytest.raises(SettingsFault) as fault:
        KeyFile(path)

    assert "EARSHOT_KEYS_FILE" in str(fault.value)
    assert said in str(fault.value)


@pytest.mark.parametrize("content", ["", "{}", "[1]", "[{"])
def test_a_keys_file_that_is_no_list_of_keys_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)

    with pytest.raises(SettingsFault, match="EARSHOT_KEYS_FILE"):
        KeyFile(path)


def test_a_name_that_stands_twice_and_a_file_that_is_missing_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps([{"id": "shop", "sha256": "a" * 64, "scopes": ["*"]}] * 2))

    with pytest.raises(SettingsFault, match="twice"):
        KeyFile(path)
    with pytest.raises(SettingsFault, match="No such file"):
        KeyFile(tmp_path / "nowhere.json")
