"""How people are reached: what each receiver is sent, and what becomes of one in trouble."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import replace
from urllib.parse import quote, urlencode

import pytest

from openrouter_resilient import ConfigurationError
from openrouter_resilient.health import channels as module
from openrouter_resilient.health.changes import Alert
from openrouter_resilient.health.channels import Undelivered, channels, deliver, heartbeat
from openrouter_resilient.settings import Settings
from openrouter_resilient.wire.clock import VirtualClock

DOWN = Alert("openai:gpt-4o", "down", 1_700_000_000.0, "refused", "nothing accepts connections")
TEXT = "openai:gpt-4o is down: refused, nothing accepts connections"


pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")  # the mailbox' own TLS is enough


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "PAUSE_S", 0.01)


def made(**variables):
    environment = {f"OPENROUTER_RESILIENT_{name.upper()}": url for name, url in variables.items()}
    return channels(Settings(environment=environment), VirtualClock())


@pytest.mark.parametrize(
    ("flavour", "body"),
    [
        ("slack", {"text": TEXT}),
        ("discord", {"content": TEXT, "allowed_mentions": {"parse": []}}),
        (
            "plain",
            {
                "source": "openrouter_resilient",
                "text": TEXT,
                "alerts": [
                    {
                        "route": "openai:gpt-4o",
                        "state": "down",
                        "since": "2023-11-14 22:13:20 UTC",
                        "fault": "refused",
                        "why": "nothing accepts connections",
                        "lasted": None,
                        "text": TEXT,
                    }
                ],
            },
        ),
    ],
)
def test_each_flavour_is_what_its_receiver_takes(receiver, flavour, body):
    (channel,) = made(webhook=f"{flavour}+{receiver.url}/x?key=1")

    deliver(channel, [DOWN])

    assert [("/x?key=1", body)] == receiver.received


def test_teams_is_sent_a_card(receiver):
    (channel,) = made(webhook=f"teams+{receiver.url}/x")

    deliver(channel, [DOWN])

    ((_, body),) = receiver.received
    (card,) = body["attachments"]
    assert ("message", "application/vnd.microsoft.card.adaptive") == (
        body["type"],
        card["contentType"],
    )
    assert [TEXT] == [block["text"] for block in card["content"]["body"]]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://hooks.slack.com/services/T/B/x", "webhook (slack)"),
        ("https://discord.com/api/webhooks/1/x", "webhook (discord)"),
        ("https://acme.webhook.office.com/x", "webhook (teams)"),
        ("https://prod-1.westeurope.logic.azure.com/x", "webhook (teams)"),
        ("https://notdiscord.com/x", "webhook (plain)"),
        ("slack+https://mattermost.example/x", "webhook (slack)"),
    ],
)
def test_the_flavour_goes_by_the_host_unless_the_url_says_so(url, name):
    assert [name] == [channel.name for channel in made(webhook=url)]


def test_several_webhooks_are_told_apart_by_number():
    both = made(webhook="https://a.example/x, https://b.example/y")

    assert ["webhook 1 (plain)", "webhook 2 (plain)"] == [channel.name for channel in both]


@pytest.mark.parametrize("starttls", [True, False], ids=["STARTTLS", "TLS"])
def test_mail_goes_over_tls_with_a_login(make_mailbox, starttls):
    mailbox = make_mailbox(starttls=starttls)
    (channel,) = made(email=mailbox.url)

    deliver(channel, [DOWN, DOWN])

    (mail,) = mailbox.messages
    assert "[openrouter_resilient] openai:gpt-4o is down (and 1 more)" == mail["subject"]
    assert "bot@example.org" == mail["from"]
    assert 2 == mail.get_content().count(TEXT)
    assert [("bot@example.org", "pass/word")] == mailbox.logins


def test_the_subject_of_a_route_of_several_models_is_short_and_the_text_names_them_all(
    make_mailbox,
):
    mailbox = make_mailbox(tls=False)
    route = "openrouter:" + ",".join(f"anthropic/claude-sonnet-4.{place}" for place in range(5))
    (channel,) = made(email=f"smtp://127.0.0.1:{mailbox.port}/?insecure&to=me@example.org")

    deliver(channel, [replace(DOWN, route=route)])

    (mail,) = mailbox.messages
    assert "[openrouter_resilient] openrouter is down" == mail["subject"]
    assert route in mail.get_content()


def test_mail_to_a_relay_of_ones_own_goes_without_tls_where_the_url_says_so(make_mailbox):
    mailbox = make_mailbox(tls=False)
    query = "?insecure&to=me%2Balerts@example.org,you+alerts@example.org"
    (channel,) = made(email=f"smtp://127.0.0.1:{mailbox.port}/{query}")

    deliver(channel, [DOWN])

    (mail,) = mailbox.messages
    assert "me+alerts@example.org, you+alerts@example.org" == mail["to"]
    assert "me+alerts@example.org" == mail["from"]


def test_recipients_that_are_refused_are_warned_of_once_and_the_others_are_sent_it_once(
    make_mailbox, caplog
):
    mailbox = make_mailbox()
    mailbox.refused = {"you@example.org"}
    (channel,) = made(email=mailbox.url)

    deliver(channel, [DOWN])
    deliver(channel, [DOWN])

    assert 2 == len(mailbox.messages)
    assert ["e-mail (127.0.0.1): the server refused 1 of 2 recipients"] == [
        record.getMessage() for record in caplog.records if record.name == module.LOG.name
    ]


@pytest.mark.parametrize("goodbye", ["500 what?", ""], ids=["another answer", "none"])
def test_mail_that_was_taken_is_sent_once_whatever_is_said_to_the_goodbye(
    make_mailbox, monkeypatch, goodbye
):
    monkeypatch.setattr(module, "LIMIT_S", 2.0)
    mailbox = make_mailbox(tls=False)
    mailbox.goodbye = goodbye
    (channel,) = made(email=f"smtp://127.0.0.1:{mailbox.port}/?insecure&to=me@example.org")

    deliver(channel, [DOWN])

    assert 1 == len(mailbox.messages)


def test_without_tls_nothing_is_sent_unless_the_url_says_so(make_mailbox):
    mailbox = make_mailbox(tls=False)
    (channel,) = made(email=f"smtp://127.0.0.1:{mailbox.port}/?to=me@example.org")

    with pytest.raises(Undelivered, match="it offers no STARTTLS"):
        deliver(channel, [DOWN])

    assert not mailbox.messages


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("pass%2Fword", "wr0ng"), "it does not accept the user or password"),
        (("smtps", "smtp"), "it did not answer|it does not take the message"),
    ],
)
def test_mail_that_is_not_taken_says_why_and_shows_no_password(
    make_mailbox, monkeypatch, change, why
):
    monkeypatch.setattr(module, "LIMIT_S", 3.0)
    monkeypatch.setattr(module, "TRIES", 1)
    mailbox = make_mailbox()
    (channel,) = made(email=mailbox.url.replace(*change))

    with pytest.raises(Undelivered, match=why) as caught:
        deliver(channel, [DOWN])

    assert not mailbox.messages
    assert "wr0ng" not in str(caught.value)
    assert "pass" not in str(caught.value).replace("password", "")


def test_a_server_whose_certificate_nobody_vouches_for_is_given_no_password(
    make_mailbox, monkeypatch
):
    mailbox = make_mailbox()
    monkeypatch.delenv("SSL_CERT_FILE")

    with pytest.raises(Undelivered, match="no secure connection"):
        deliver(made(email=mailbox.url)[0], [DOWN])

    assert not mailbox.logins


@pytest.mark.parametrize("drips", [False, True], ids=["silent", "dripping"])
def test_an_smtp_server_that_hangs_is_left_in_time(drips, monkeypatch):
    """One that sends a byte now and then would outstay a limit on each read."""
    monkeypatch.setattr(module, "LIMIT_S", 0.5)
    stop = threading.Event()

    def serve(listener):
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    def drip(connection):
        with connection:
            while not stop.wait(0.05):
                with suppress(OSError):
                    connection.sendall(b"2" if drips else b"")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        port = listener.getsockname()[1]
        (channel,) = made(email=f"smtp://127.0.0.1:{port}/?to=a@example.org")

        with pytest.raises(Undelivered, match=r"it did not answer within 0.5 s"):
            deliver(channel, [DOWN])
        stop.set()


def test_it_is_tried_three_times_and_the_third_may_be_taken(receiver, monkeypatch):
    receiver.status = 503
    (channel,) = made(webhook=f"{receiver.url}/x")
    tries = []

    def recovering(alerts, seconds):
        tries.append(1)
        receiver.status = 200 if len(tries) == 3 else 503
        channel.send(alerts, seconds)

    deliver(module.Channel("x", recovering), [DOWN])

    assert 3 == len(receiver.received)


def test_a_redirect_is_not_followed_with_what_we_say(receiver):
    receiver.status = 307

    with pytest.raises(Undelivered, match="it answers 307"):
        deliver(made(webhook=f"{receiver.url}/x")[0], [DOWN])


def test_the_heartbeat_is_a_get(receiver):
    environment = {"OPENROUTER_RESILIENT_HEARTBEAT": f"{receiver.url}/beat"}

    heartbeat(Settings(environment=environment))()

    assert [("/beat", None)] == receiver.received


@pytest.mark.parametrize(
    "variables",
    [
        {"webhook": "hooks.slack.com/s3cret"},
        {"webhook": "ftp://example.org/s3cret"},
        {"webhook": "slack+s3cret"},
        {"webhook": "https://exa mple.org/s3cret"},
        {"email": "https://u:s3cret@example.org/?to=a@b.c"},
        {"email": "smtps://u:s3cret@example.org/"},
        {"email": "smtps://u:s3cret@example.org/?to=nobody"},
        {"email": "smtps://u:s3cret@example.org/?to=no%20body@b.c"},
        {"email": "smtps://u:s3cret@example.org:99999/?to=a@b.c"},
    ],
)
def test_a_malformed_address_is_refused_without_being_shown(variables):
    with pytest.raises(ConfigurationError) as caught:
        made(**variables)

    assert "s3cret" not in str(caught.value)
    assert "OPENROUTER_RESILIENT_" in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["a@", "a@[", "=?utf-8?q?=0A?=@x", "undisclosed-recipients:;@x", "@", "@b", "a@b@c", "a@(b",
     "a;b@c", "a@b>"],
)  # fmt: skip
@pytest.mark.parametrize("part", ["to", "from"])
def test_what_is_no_address_is_refused_before_anything_is_to_be_sent(part, address):
    parts = {"to": "a@b.c", "from": "a@b.c", part: quote(address)}

    with pytest.raises(ConfigurationError, match="needs to whom and from whom"):
        made(email=f"smtps://example.org/?{urlencode(parts, safe='%')}")


def test_a_line_break_in_an_address_adds_no_header():
    with pytest.raises(ConfigurationError):
        made(email="smtps://h/?to=a@b.c%0ABcc:%20x@y.z&from=a@b.c")
