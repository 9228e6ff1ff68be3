"""The doctor names what is wrong and the mend, and says whether the plan outlives OpenRouter."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing

import pytest

from openrouter_resilient import Client, ConfigurationError, Endpoint
from openrouter_resilient.health import surroundings
from openrouter_resilient.health.doctor import diagnose
from openrouter_resilient.health.findings import PROBLEM, WARNING, sound
from openrouter_resilient.ledger.ledger import Ledger
from openrouter_resilient.settings import Settings

KEY_FACTS = b'{"data": {"limit_remaining": %s}}'
LIST = b'{"data": [{"id": "anthropic/claude-sonnet-4.5"}, {"id": "gpt-4o"}]}'


@pytest.fixture
def examined(simulator):
    """The findings of a set-up that is pointed at the simulator, changed by some variables."""

    def examine(models="anthropic/claude-sonnet-4.5", fallbacks=("openai:gpt-4o",), **options):
        live = options.pop("live", False)
        environment = {**simulator.environment(), **options.pop("variables", {})}
        settings = Settings(environment=environment)
        try:
            client = Client(
                models, fallbacks=fallbacks, environment=environment, redis_url="", **options
            )
        except ConfigurationError as error:
            client = error
        return diagnose(settings, client, live=live)

    return examine


def problems(findings):
    return [(finding.about, finding.text, finding.mend) for finding in findings
            if finding.level == PROBLEM]  # fmt: skip


def test_a_sound_set_up_exits_0(run_command, redis_server):
    run_command("probe", "--once", REDIS_URL=redis_server.url)

    done = run_command("doctor", "--live", REDIS_URL=redis_server.url)

    assert (0, "") == (done.returncode, done.stderr)
    assert "PROBLEM" not in done.stdout
    assert "warning" not in done.stdout
    assert "fire drill: openrouter:anthropic/claude-sonnet-4.5 answered" in done.stdout
    assert "fire drill: openai:gpt-4o answered" in done.stdout
    assert "OpenRouter's loss: calls would be answered by openai:gpt-4o" in done.stdout
    assert "probe: one has written" in done.stdout


def test_nothing_set(run_command, simulator):
    nothing = dict.fromkeys(simulator.environment(), "")

    done = run_command("doctor", **nothing, OPENROUTER_RESILIENT_FALLBACKS="")

    assert 1 == done.returncode
    assert 1 == done.stdout.lower().count("no key is set")
    assert "PROBLEM  keys: no key is set" in done.stdout
    assert "PROBLEM  OpenRouter's loss: nobody would answer" in done.stdout
    assert "→ set OPENROUTER_API_KEY (from https://openrouter.ai/settings/keys)" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_wrong_key(run_command):
    done = run_command("doctor", OPENROUTER_API_KEY="sk-or-v1-wr0ng")

    assert 1 == done.returncode
    assert "PROBLEM  openrouter: it answers 401: the key was not accepted" in done.stdout
    assert "→ set OPENROUTER_API_KEY to a valid key" in done.stdout
    assert "wr0ng" not in done.stdout + done.stderr


def test_a_mistyped_model(run_command):
    done = run_command("doctor", "--model", "anthropic/claude-sonet-4.5")

    assert 1 == done.returncode
    assert "PROBLEM  openrouter: it has no model anthropic/claude-sonet-4.5" in done.stdout
    assert "→ did you mean anthropic/claude-sonnet-4.5? Mend the id" in done.stdout
    assert "first among the fallbacks" not in done.stdout  # it would repeat the mistake


def test_redis_down(run_command):
    done = run_command("doctor", REDIS_URL="redis://user:s3cret@127.0.0.1:1/0")

    assert 1 == done.returncode
    assert "PROBLEM  redis: 127.0.0.1:1 (environment): it cannot be reached" in done.stdout
    assert "→ start it, or mend REDIS_URL" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr


def test_no_credit(run_command, make_receiver):
    receiver = make_receiver({"/key": KEY_FACTS % b"0", "/models": LIST})

    done = run_command("doctor", OPENROUTER_BASE_URL=receiver.url)

    assert 1 == done.returncode
    assert "PROBLEM  openrouter: the key is valid, and no credit is left on it" in done.stdout
    assert "→ add credit at https://openrouter.ai/settings/credits, or raise" in done.stdout


def test_no_credit_that_only_a_real_prompt_shows(run_command, simulator):
    """GET /key knows the key's own limit, and nothing of what its account has left."""
    simulator.play("openrouter", "status_402", every=3)  # spares the key's facts and the list

    done = run_command("doctor", "--live")

    assert 1 == done.returncode
    assert (
        "PROBLEM  fire drill: openrouter:anthropic/claude-sonnet-4.5 is down: no_credit"
        in done.stdout
    )
    assert "→ add credit at https://openrouter.ai/settings/credits" in done.stdout
    assert "" == done.stderr


@pytest.mark.parametrize(
    ("seconds", "text"), [(3600, "1 h behind"), (-600, "10 min ahead of"), (20, None)]
)
def test_a_clock_that_is_off(run_command, make_receiver, seconds, text):
    """Off by what all servers say; what one of them says alone is that one's trouble."""
    receiver = make_receiver({"/key": KEY_FACTS % b"9", "/models": LIST})
    receiver.ahead = seconds
    one = {"OPENROUTER_BASE_URL": receiver.url}

    alone = run_command("doctor", **one)
    done = run_command("doctor", OPENAI_BASE_URL=receiver.url, **one)

    assert 0 == alone.returncode
    assert (1 if text else 0) == done.returncode
    if text:
        assert f"PROBLEM  clock: this machine's clock is {text} the servers'" in done.stdout
        assert "→ set it (timedatectl set-ntp true)" in done.stdout


@pytest.mark.parametrize(
    ("left", "level", "text"),
    [
        (0, PROBLEM, "no credit is left on it"),
        (-1.5, PROBLEM, "no credit is left on it"),
        (0.25, WARNING, "only $0.25 of credit is left"),
        (None, "ok", "what its account has left only a real prompt tells"),
    ],
)
def test_what_is_left_on_the_key(make_receiver, examined, left, level, text):
    pages = {
        "/key": json.dumps({"data": {"limit_remaining": left}}).encode(),
        "/models": json.dumps({"data": [{"id": "anthropic/claude-sonnet-4.5"}]}).encode(),
    }

    findings = examined(base_url=make_receiver(pages).url)

    assert (level, True) in [
        (finding.level, text in finding.text)
        for finding in findings
        if finding.about == "openrouter"
    ]


@pytest.mark.parametrize(
    ("facts", "level", "text"),
    [
        ({"is_free_tier": True, "limit_remaining": None}, WARNING, "never bought credit"),
        ({"expires_at": "2020-01-01"}, WARNING, "the key ends on 2020-01-01"),
        ({"expires_at": "2999-01-01"}, "ok", "the key is accepted"),
        ({"expires_at": None}, "ok", "the key is accepted"),
    ],
)
def test_what_else_openrouter_says_of_a_key(make_receiver, examined, facts, level, text):
    pages = {"/key": json.dumps({"data": facts}).encode(), "/models": LIST}

    findings = examined(base_url=make_receiver(pages).url)

    assert (level, True) in [(found.level, text in found.text) for found in findings]


@pytest.mark.parametrize(
    ("model", "there"),
    [
        ("openai/gpt-4o", True),
        ("openai/gpt-4o:nitro", True),
        ("openai/gpt-4o@preset/mine", True),
        ("openai/gpt-4o:free", False),
        ("openai/gpt-4o:thinking", True),
        ("openai/gpt-4", False),
        ("anthropic/claude-sonnet-4", False),
        ("anthropic/claude-haiku-4.5", True),
        ("~openai/gpt-latest", True),
        ("~openai/gpt-lastest", False),
        ("@preset/mine", True),
        ("openrouter/auto", True),
    ],
)
def test_a_model_is_there_if_a_call_of_it_would_be_taken(make_receiver, examined, model, there):
    ids = ("openai/gpt-4o", "openai/gpt-4o:thinking", "anthropic/claude-sonnet-4-5",
           "anthropic/claude-haiku-4.5-20251001", "~openai/gpt-latest")  # fmt: skip
    pages = {"/models": json.dumps({"data": [{"id": name} for name in ids]}).encode()}

    found = problems(examined(model, base_url=make_receiver(pages).url))

    assert there is not found


def test_a_date_of_one_version_is_not_that_of_all(make_receiver, examined):
    rows = [
        {"id": "openai/gpt-4o-2024-05-13", "expiration_date": "2020-01-01"},
        {"id": "openai/gpt-4o", "expiration_date": None},
    ]
    pages = {"/models": json.dumps({"data": rows}).encode()}

    assert not problems(examined("openai/gpt-4o", base_url=make_receiver(pages).url))


@pytest.mark.parametrize(
    ("models", "fallbacks", "advised"),
    [
        ("anthropic/claude-sonnet-4.5", ("openai:gpt-4o",), "anthropic:claude-sonnet-4-5"),
        ("~anthropic/claude-sonnet-latest", ("openai:gpt-4o",), "anthropic:claude-sonnet-5"),
        ("openai/gpt-4o", ("groq",), "openai:gpt-4o"),
        ("anthropic/claude-sonnet-4.5", ("openai", "anthropic"), "anthropic:claude-sonnet-4-5"),
        ("anthropic/claude-sonnet-4.5", ("anthropic", "openai:gpt-4o"), None),
        ("meta-llama/llama-3.3-70b-instruct", ("openai:gpt-4o",), None),
    ],
)
def test_the_makers_of_the_first_model_are_advised_where_they_could_be_asked_next_and_are_not(
    examined, models, fallbacks, advised
):
    findings = examined(models, fallbacks=fallbacks)

    advice = [finding.mend for finding in findings if finding.level == "ok" and finding.mend]
    assert ([f"put {advised} first among the fallbacks"] if advised else []) == [
        mend.partition(": nothing")[0] for mend in advice
    ]
    assert sound(findings)


def test_makers_whose_key_is_not_set_are_not_advised(examined):
    findings = examined(variables={"ANTHROPIC_API_KEY": ""})

    assert not [finding for finding in findings if finding.level == "ok" and finding.mend]


@pytest.mark.parametrize(
    ("ends", "level", "text"),
    [
        ("2020-01-01", PROBLEM, "ended on 2020-01-01"),
        ("in 5 days", WARNING, "ends on "),
        ("2999-01-01T00:00:00Z", "ok", "is there"),
        (None, "ok", "is there"),
        ("someday", "ok", "is there"),
    ],
)
def test_a_model_that_ends_soon(make_receiver, examined, ends, level, text):
    from datetime import datetime, timedelta, timezone

    if ends == "in 5 days":
        ends = (datetime.now(timezone.utc) + timedelta(days=5)).date().isoformat()
    row = {"id": "anthropic/claude-sonnet-4.5", "expiration_date": ends}
    pages = {"/key": b'{"data": {}}', "/models": json.dumps({"data": [row]}).encode()}

    findings = examined(base_url=make_receiver(pages).url)

    (found,) = [finding for finding in findings if finding.text.startswith(row["id"])]
    assert level == found.level
    assert text in found.text


def test_without_a_direct_route_nobody_would_answer(examined):
    ((about, text, mend),) = problems(examined(fallbacks=()))

    assert ("OpenRouter's loss", "nobody would answer: there is no direct route") == (about, text)
    assert "set OPENAI_API_KEY" in mend


def test_a_fallback_whose_key_is_wrong_is_no_way_out(examined):
    found = problems(examined(variables={"OPENAI_API_KEY": "sk-wr0ng"}))

    assert ["openai", "OpenRouter's loss"] == [about for about, _, _ in found]


def test_the_fire_drill_finds_what_no_free_call_shows(simulator, examined):
    """A key without money lists models happily; only a real prompt tells."""
    simulator.play("openai", "insufficient_quota", every=2)  # spares the list of models

    assert not problems(examined())
    simulator.heal()
    simulator.play("openai", "insufficient_quota", every=2)
    found = problems(examined(live=True))

    assert ["fire drill", "OpenRouter's loss"] == [about for about, _, _ in found]


def test_the_fire_drill_asks_every_route_once_and_is_no_call_of_the_users(
    simulator, run_command, tmp_path
):
    routes = ("--fallback", "openai:gpt-4o", "--fallback", "groq", "--fallback", "anthropic")

    run_command("doctor", "--live", *routes, OPENROUTER_RESILIENT_LEDGER=str(tmp_path / "x.db"))

    asked = [r.face for r in simulator.requests if r.path.endswith(("/completions", "/messages"))]
    assert ["anthropic", "groq", "openai", "openrouter"] == sorted(asked)
    assert not (tmp_path / "x.db").exists()


def test_a_server_of_ones_own_counts_as_a_way_out(simulator, examined):
    own = Endpoint("own", simulator.url("openai"), key=simulator.key("openai"))

    findings = examined(fallbacks=("own:gpt-4o",), endpoints=[own])

    assert sound(findings)
    assert "own: the key comes from: code" in "\n".join(map(str, findings))


@pytest.mark.parametrize("status", [404, 405])
def test_a_server_of_ones_own_that_lists_no_models_is_fine(make_receiver, examined, status):
    receiver = make_receiver()
    receiver.status = status
    own = Endpoint("own", receiver.url)

    assert sound(examined(fallbacks=("own:x",), endpoints=[own]))


def test_an_address_with_too_much_or_too_little_of_a_path_is_named_and_no_models_id(
    examined, simulator
):
    findings = examined(
        variables={
            "OPENROUTER_BASE_URL": f"{simulator.url('openrouter')}/chat/completions",
            "OPENAI_BASE_URL": simulator.url("openai").removesuffix("/v1"),
        }
    )

    told = {finding.about: (finding.level, finding.text, finding.mend) for finding in findings}
    level, text, mend = told["openrouter"]
    assert (PROBLEM, "it answers 404 to /key, which its API has") == (level, text)
    assert f"see whether {simulator.url('openrouter')}/chat/completions is all of" in mend
    level, text, mend = told["openai"]
    assert (WARNING, "it answers 404 to /models, which its API has") == (level, text)
    assert mend.endswith("; --live proves it")


def test_where_each_key_came_from_is_said_and_no_key_is(examined, simulator):
    text = "\n".join(map(str, examined()))

    assert "openrouter: the key comes from: environment" in text
    assert not any(simulator.key(face) in text for face in ("openrouter", "openai", "groq"))


def test_an_address_is_said_to_come_from_a_variable_only_where_it_does(examined, simulator):
    unusable = examined(variables={"OPENROUTER_BASE_URL": "localhost:8080"})
    mine = Endpoint("mine", simulator.url("openai"), simulator.key("openai"))
    passed_over = examined(endpoints=[mine], variables={"MINE_BASE_URL": "http://elsewhere/v1"})

    said = [finding.text for finding in [*unusable, *passed_over] if "comes from" in finding.text]
    assert [] == [text for text in said if "openrouter.ai" in text]
    assert ["the key comes from: code"] == [text for text in said if "code" in text]
    assert "needs a scheme and a host" in problems(unusable)[0][1]


@pytest.mark.parametrize(
    ("kind", "trouble"),
    [
        ("none", ""),
        ("empty", ""),
        ("readable", ""),
        ("missing", "cannot be written"),
        ("other", "cannot be used: file is not a database"),
        ("newer", "cannot be used: its version is 9, and this package knows 1"),
        ("folder", "is no regular file"),
        ("fifo", "is no regular file"),
    ],
)
def test_the_ledgers_path(tmp_path, kind, trouble):
    path = {"missing": tmp_path / "none" / "x.db"}.get(kind, tmp_path / "x.db")
    if kind in ("readable", "newer"):
        ledger = Ledger(path)
        ledger.probe("openai", seconds=1.0)
        ledger.close()
    if kind == "newer":
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 9")
    if kind == "folder":
        path.mkdir()
    if kind == "fifo":
        os.mkfifo(path)
    if kind in ("empty", "other"):
        path.write_bytes(b"" if kind == "empty" else b"something else altogether")

    (finding,) = surroundings.ledger(
        Settings(environment={"OPENROUTER_RESILIENT_LEDGER": str(path)})
    )

    assert (PROBLEM if trouble else "ok") == finding.level
    assert trouble in finding.text
    assert str(path.parent) in finding.text


def test_a_ledger_in_the_home_of_nobody_is_a_problem():
    path = "~nobody-is-called-so/calls.db"

    (finding,) = surroundings.ledger(Settings(environment={"OPENROUTER_RESILIENT_LEDGER": path}))

    assert PROBLEM == finding.level
    assert "~nobody-is-called-so cannot be written" in finding.text


def test_that_no_ledger_is_set_is_said_and_no_problem():
    (finding,) = surroundings.ledger(Settings(environment={}))

    assert ("ok", "not set; `report` will have nothing to tell of") == (finding.level, finding.text)


def test_a_ca_bundle_that_is_none_is_named(examined, monkeypatch, tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))

    ((about, text, mend),) = problems(examined())

    assert ("CA bundle", "mend or unset REQUESTS_CA_BUNDLE") == (about, mend)
    assert str(tmp_path / "ca.pem") in text


@pytest.mark.parametrize(
    ("proxy", "place"),
    [
        ("http://user:s3cret@127.0.0.1:1", "127.0.0.1:1"),
        ("http://user:s3cret@127.0.0.1", "127.0.0.1:80"),
        ("user:s3cret@127.0.0.1:1", "127.0.0.1:1"),
    ],
)
def test_a_proxy_is_named_without_its_password(monkeypatch, proxy, place):
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    found = surroundings.network([Endpoint("own", "http://example.org/v1")])

    assert f"own through {place}" == found[0].text


def test_a_malformed_alert_is_a_problem(examined):
    found = problems(examined(variables={"OPENROUTER_RESILIENT_WEBHOOK": "hooks.slack.com/s3cret"}))

    assert ["alerts"] == [about for about, _, _ in found]
    assert "s3cret" not in str(found)


def test_json(run_command):
    done = run_command("doctor", "--json")

    found = json.loads(done.stdout)
    assert found["sound"]
    assert {"about", "level", "text", "mend"} == set(found["findings"][0])
