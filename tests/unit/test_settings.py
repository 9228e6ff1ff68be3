"""Where a setting comes from, and what is wrong with it."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path

import pytest

from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.settings import Settings, checked_url

KEY = "OPENROUTER_API_KEY"


def make_settings(tmp_path, *, argument=None, environment=None, dotenv=None):
    """Settings with a value from each of the three sources, where one is given."""
    if dotenv is not None:
        (tmp_path / ".env").write_text(dotenv, encoding="utf-8")
    variables = {} if environment is None else {KEY: environment}
    return Settings({KEY: argument}, environment=variables, folder=tmp_path)


class TestAValue:
    @pytest.mark.parametrize(
        ("argument", "environment", "dotenv", "value", "origin"),
        [
            ("a", "e", f"{KEY}=d", "a", "argument"),
            (None, "e", f"{KEY}=d", "e", "environment"),
            (None, None, f"{KEY}=d", "d", ".env"),
            (None, None, None, None, None),
            ("", "e", None, "e", "environment"),  # empty counts as unset
            ("  ", "", f"{KEY}=d", "d", ".env"),
            (None, "", f"{KEY}=", None, None),
            (None, "\t", KEY, None, None),
            (" a\n", None, None, "a", "argument"),
            (None, None, f"export {KEY}='d'", "d", ".env"),
            (None, None, f"\ufeff{KEY}=d", "d", ".env"),  # as Windows' editor writes it
        ],
    )
    def test_comes_from_an_argument_then_the_environment_then_a_file(
        self, tmp_path, argument, environment, dotenv, value, origin
    ):
        settings = make_settings(
            tmp_path, argument=argument, environment=environment, dotenv=dotenv
        )

        assert value == settings.read(KEY)
        assert (origin and str(tmp_path / origin) if origin == ".env" else origin) == (
            settings.origin(KEY)
        )

    def test_comes_from_the_processs_own_environment_unless_told_else(self, monkeypatch):
        monkeypatch.setenv(KEY, "e")

        assert "e" == Settings().read(KEY)

    def test_is_a_list_without_its_blanks(self):
        settings = Settings({"A": "openai:gpt-4o, groq ,,", "B": " "}, environment={})

        assert ["openai:gpt-4o", "groq"] == settings.listed("A")
        assert settings.listed("B") is None

    @pytest.mark.parametrize(
        ("text", "seconds"), [("30", 30.0), ("0.5", 0.5), ("1e2", 100.0), ("", None), (None, None)]
    )
    def test_is_a_number_of_seconds(self, text, seconds):
        assert seconds == Settings({"A": text}, environment={}).seconds("A")

    @pytest.mark.parametrize("text", ["soon", "30 s", "0", "-1", "nan", "inf", "1,5"])
    def test_is_no_other_number(self, text):
        with pytest.raises(ConfigurationError, match="A must be a positive number of seconds"):
            Settings({"A": text}, environment={}).seconds("A")


class TestTheFile:
    def test_is_looked_for_in_a_folder_that_is_given_as_a_text(self, tmp_path):
        (tmp_path / ".env").write_text(f"{KEY}=here\n")

        assert "here" == Settings(environment={}, folder=str(tmp_path)).read(KEY)

    def test_is_looked_for_upwards(self, tmp_path):
        (tmp_path / ".env").write_text(f"{KEY}=above")
        below = tmp_path / "one" / "two"
        below.mkdir(parents=True)

        assert "above" == Settings(environment={}, folder=below).read(KEY)

    def test_is_the_nearest(self, tmp_path):
        make_settings(tmp_path, dotenv=f"{KEY}=far")
        below = tmp_path / "one"
        below.mkdir()

        assert "near" == make_settings(below, dotenv=f"{KEY}=near").read(KEY)

    def test_is_looked_for_from_the_working_directory(self, tmp_path, monkeypatch):
        make_settings(tmp_path, dotenv=f"{KEY}=here")
        monkeypatch.chdir(tmp_path)

        assert "here" == Settings(environment={}).read(KEY)

    def test_is_never_the_one_beside_the_installed_package(self, tmp_path, monkeypatch):
        """python-dotenv's own search begins beside the caller's source file."""
        site = Path(sysconfig.get_paths()["purelib"])
        looked_at = []
        is_file = Path.is_file
        monkeypatch.setattr(Path, "is_file", lambda self: looked_at.append(self) or is_file(self))

        assert make_settings(tmp_path).read(KEY) is None
        assert {".env"} == {path.name for path in looked_at}
        assert not [path for path in looked_at if site in path.parents or path.parent == site]
        assert {path.parent for path in looked_at} <= {tmp_path, *tmp_path.parents}

    def test_that_is_a_folder_is_none(self, tmp_path):
        (tmp_path / ".env").mkdir()

        assert make_settings(tmp_path).read(KEY) is None

    def test_is_not_missed_where_no_variable_is_asked_for(self, tmp_path):
        (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")

        assert "a" == make_settings(tmp_path, argument="a").read(KEY)

    def test_that_cannot_be_read_is_named(self, tmp_path):
        (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")

        with pytest.raises(ConfigurationError, match=r"\.env cannot be read \(UnicodeDecodeError"):
            make_settings(tmp_path).read(KEY)

    def test_above_a_folder_that_may_not_be_looked_into_is_none(self, tmp_path, monkeypatch):
        def refuse(path):
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(Path, "is_file", refuse)

        assert make_settings(tmp_path).read(KEY) is None

    def test_is_none_where_the_working_directory_was_removed(self, tmp_path, monkeypatch):
        gone = tmp_path / "gone"
        gone.mkdir()
        monkeypatch.chdir(gone)
        gone.rmdir()

        assert Settings(environment={}).read(KEY) is None

    def test_leaves_the_environment_alone(self, tmp_path):
        before = dict(os.environ)
        assert "d" == make_settings(tmp_path, dotenv=f"{KEY}=d\nOTHER=x").read(KEY)

        assert before == dict(os.environ)


class TestASecret:
    def test_does_not_show(self, tmp_path):
        settings = make_settings(tmp_path, argument="sk-or-v1-abc")
        secret = settings.secret(KEY)

        assert "sk-or-v1-abc" == secret.get_secret_value()
        assert "abc" not in f"{secret} {secret!r} {settings!r} {settings}"

    def test_that_is_not_set_is_none(self):
        assert Settings({KEY: " "}, environment={}).secret(KEY) is None

    @pytest.mark.parametrize(
        "key", ["sk-or v1", "sk-or\nv1", "sk-or\tv1", "sk-ör-v1", "sk\x00", "“sk-or-v1”", "sk\x7f"]
    )
    def test_with_characters_that_no_key_has_is_refused_and_not_shown(self, key):
        with pytest.raises(ConfigurationError) as raised:
            Settings({KEY: key}, environment={}).secret(KEY)

        assert KEY in str(raised.value)
        assert key not in str(raised.value)


class TestAURL:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"),
            ("https://openrouter.ai/api/v1/", "https://openrouter.ai/api/v1"),
            ("http://localhost:8000//", "http://localhost:8000"),
            ("HTTPS://example.org", "HTTPS://example.org"),
            ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ],
    )
    def test_loses_its_trailing_slash(self, url, expected):
        assert expected == checked_url(url, "vllm")

    @pytest.mark.parametrize(
        "url",
        ["", "example.org/v1", "ftp://example.org", "https://", "https:///v1", "https://:443/v1",
         "https://example.org:0/v1", "https://example.org:99999/v1", "https://example.org:x/v1",
         "http://[::1/v1", "https://exam\nple.org/v1", "https://example.org/v1\r\nX-Evil: 1",
         "https://example.org/v 1"],
    )  # fmt: skip
    def test_needs_a_scheme_and_a_host(self, url):
        with pytest.raises(ConfigurationError, match="the base URL of vllm needs a scheme"):
            checked_url(url, "vllm")

    @pytest.mark.parametrize(
        "url",
        ["https://user:pw@example.org/v1", "https://pw@example.org", "https://:pw@example.org",
         "https://example.org/v1?key=pw", "https://example.org/v1#pw", "https://example.org/v1?",
         "https://example.org/v1#", "https://example.org?/"],
    )  # fmt: skip
    def test_may_hold_no_credentials_and_does_not_show_them(self, url):
        with pytest.raises(ConfigurationError, match="the base URL of vllm may hold no") as raised:
            checked_url(url, "vllm")

        assert "pw" not in str(raised.value)
