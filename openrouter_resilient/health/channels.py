"""How people are reached: webhooks in the form their receiver takes, e-mail, a heartbeat.

Each is tried within a time limit, and again; what cannot be delivered is told once, without the
address, which is a secret, and stops nothing.
"""

from __future__ import annotations

import logging
import smtplib
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from email.message import EmailMessage
from email.utils import formatdate, getaddresses, make_msgid
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.health.changes import Alert
from openrouter_resilient.health.http import Unanswered, fetch
from openrouter_resilient.settings import Settings
from openrouter_resilient.wire.clock import Clock, monotonic

LOG = logging.getLogger("openrouter_resilient.health")
LIMIT_S = 10.0  # for one attempt
TRIES = 3
PAUSE_S = 1.0  # before the second attempt; twice that before the third
WEBHOOK_VARIABLE = "OPENROUTER_RESILIENT_WEBHOOK"
EMAIL_VARIABLE = "OPENROUTER_RESILIENT_EMAIL"
HEARTBEAT_VARIABLE = "OPENROUTER_RESILIENT_HEARTBEAT"
VARIABLES = (WEBHOOK_VARIABLE, EMAIL_VARIABLE, HEARTBEAT_VARIABLE)


class Undelivered(Exception):
    """It was not taken, for the reason that is the message; it holds no address."""


@dataclass(frozen=True)
class Channel:
    """One way to reach people.

    Attributes:
        name: what it is called in warnings, and remembered by: no secret.
        send: tells of alerts, within so many seconds, or raises `Undelivered`.
    """

    name: str
    send: Callable[[Sequence[Alert], float], None]


def _slack(alerts: Sequence[Alert]) -> dict[str, Any]:
    return {"text": _lines(alerts)}


def _discord(alerts: Sequence[Alert]) -> dict[str, Any]:
    return {"content": _lines(alerts)[:2000], "allowed_mentions": {"parse": []}}


def _teams(alerts: Sequence[Alert]) -> dict[str, Any]:
    blocks = [{"type": "TextBlock", "text": str(alert), "wrap": True} for alert in alerts]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "content": card}]}


def _plain(alerts: Sequence[Alert]) -> dict[str, Any]:
    rows = [{**asdict(alert), "since": _iso(alert.since), "text": str(alert)} for alert in alerts]
    return {"source": "openrouter_resilient", "text": _lines(alerts), "alerts": rows}


@dataclass(frozen=True)
class Flavour:
    """A form of webhook: its name, the ends of the hosts that take it, what is posted."""

    name: str
    hosts: tuple[str, ...]
    body: Callable[[Sequence[Alert]], dict[str, Any]]


# fmt: off
FLAVOURS = (
    Flavour("slack",   ("hooks.slack.com",),                                          _slack),
    Flavour("discord", ("discord.com", "discordapp.com"),                             _discord),
    Flavour("teams",   ("webhook.office.com", "logic.azure.com", "powerplatform.com"), _teams),
    Flavour("plain",   (),                                                            _plain),
)
# fmt: on
_BY_NAME = {flavour.name: flavour for flavour in FLAVOURS}
_SMTP = {"smtp": 587, "smtps": 465}


def channels(settings: Settings, clock: Clock) -> list[Channel]:
    """Every way to reach people that is set up.

    Raises:
        ConfigurationError: one of them is malformed.
    """
    hooks = settings.listed(WEBHOOK_VARIABLE) or []
    found = [_webhook(url, place, len(hooks)) for place, url in enumerate(hooks, 1)]
    mail = settings.read(EMAIL_VARIABLE)
    return [*found, _email(mail, clock)] if mail else found


def heartbeat(settings: Settings) -> Callable[[], None] | None:
    """What fetches the heartbeat's URL; None where none is set.

    Raises:
        ConfigurationError: it is malformed.
    """
    url = settings.read(HEARTBEAT_VARIABLE)
    if not url:
        return None
    _checked(url, HEARTBEAT_VARIABLE, ("http", "https"))

    return lambda: _tried(lambda limit: _accepted(url, None, limit))


def deliver(channel: Channel, alerts: Sequence[Alert]) -> None:
    """Tell of alerts, in up to three attempts.

    Raises:
        Undelivered: none was taken.
    """
    _tried(lambda limit: channel.send(alerts, limit))


def _tried(send: Callable[[float], None]) -> None:
    for attempt in range(1, TRIES):
        with suppress(Undelivered):
            _in_time(send, LIMIT_S)
            return
        threading.Event().wait(PAUSE_S * attempt)
    _in_time(send, LIMIT_S)


def _in_time(send: Callable[[float], None], seconds: float) -> None:
    """Bound what may drip: in a thread of its own, which is left behind if it is late."""
    failure: list[BaseException] = []

    def run() -> None:
        try:
            send(seconds)
        except Exception as error:  # noqa: BLE001  raised below, in the thread that can catch it
            failure.append(error)

    thread = threading.Thread(target=run, name="openrouter-alert", daemon=True)
    thread.start()
    thread.join(seconds + 1.0)
    if thread.is_alive():
        raise Undelivered(f"it did not answer within {seconds:g} s")
    if failure:
        raise failure[0]


def _webhook(text: str, place: int, count: int) -> Channel:
    url, flavour = _flavoured(text)
    name = "webhook" if count == 1 else f"webhook {place}"

    def send(alerts: Sequence[Alert], seconds: float) -> None:
        _accepted(url, flavour.body(alerts), seconds)

    return Channel(f"{name} ({flavour.name})", send)


def _flavoured(text: str) -> tuple[str, Flavour]:
    """A webhook's URL and form: by `slack+https://…` if it says so, or else by its host."""
    chosen, plus, rest = text.partition("+")
    if plus and chosen in _BY_NAME:
        _checked(rest, WEBHOOK_VARIABLE, ("http", "https"))
        return rest, _BY_NAME[chosen]
    host = _checked(text, WEBHOOK_VARIABLE, ("http", "https")).hostname or ""
    named = (f for f in FLAVOURS if any(host == end or host.endswith(f".{end}") for end in f.hosts))
    return text, next(named, _BY_NAME["plain"])


def _accepted(url: str, post: Mapping[str, Any] | None, seconds: float) -> None:
    try:
        answer = fetch(url, seconds=seconds, post=post)
    except Unanswered as unanswered:
        raise Undelivered(str(unanswered)) from None
    if not 200 <= answer.status < 300:
        raise Undelivered(f"it answers {answer.status}")


def _email(url: str, clock: Clock) -> Channel:
    """E-mail by `smtps://user:password@host:465/?to=…&from=…`; `smtp://` begins with STARTTLS."""
    parts = _checked(url, EMAIL_VARIABLE, tuple(_SMTP))
    # A plus stands for itself, as in me+alerts@example.org.
    asked = parse_qs(parts.query.replace("+", "%2B"), keep_blank_values=True)
    user = unquote(parts.username or "")
    sender, to = _addresses(asked, user)
    name, insecure, complained = f"e-mail ({parts.hostname})", "insecure" in asked, False

    def send(alerts: Sequence[Alert], seconds: float) -> None:
        nonlocal complained
        message = _message(alerts, sender, to, clock.wall())
        refused = _handed_over(parts, user, message, seconds, insecure=insecure)
        if refused and not complained:
            LOG.warning("%s: the server refused %d of %d recipients", name, refused, len(to))
        complained = bool(refused)

    return Channel(name, send)


def _addresses(asked: Mapping[str, Sequence[str]], user: str) -> tuple[str, list[str]]:
    """From whom and to whom.

    Raises:
        ConfigurationError: nobody is named, or one of them is no address.
    """
    to = [address for text in asked.get("to", []) for address in text.split(",") if address]
    sender = asked.get("from", [user if "@" in user else (to[0] if to else "")])[0]
    if not to or not all(map(_is_address, [sender, *to])):
        raise ConfigurationError(
            f"{EMAIL_VARIABLE} needs to whom and from whom: "
            "smtps://user:password@host/?to=me@example.org&from=alerts@example.org"
        )
    return sender, to


def _handed_over(
    parts: SplitResult, user: str, message: EmailMessage, seconds: float, *, insecure: bool
) -> int:
    """Hand a message to the server; of how many recipients it would know nothing.

    Raises:
        Undelivered: it was not taken for anybody.
    """
    until = monotonic() + seconds
    try:
        return _post(parts, user, message, seconds, insecure=insecure)
    except smtplib.SMTPAuthenticationError:
        raise Undelivered("it does not accept the user or password") from None
    except smtplib.SMTPNotSupportedError:
        raise Undelivered("it offers no STARTTLS or no login; use smtps://") from None
    except ssl.SSLError:
        raise Undelivered("no secure connection could be made") from None
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        late = monotonic() >= until or isinstance(error, TimeoutError)
        why = f"it does not take the message ({type(error).__name__})"
        raise Undelivered(f"it did not answer within {seconds:g} s" if late else why) from None


def _post(
    parts: SplitResult, user: str, message: EmailMessage, seconds: float, *, insecure: bool
) -> int:
    """Send a message; without TLS only where the URL says `insecure`."""
    port = parts.port or _SMTP[parts.scheme]
    host, context = parts.hostname or "", ssl.create_default_context()
    until = monotonic() + seconds
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=seconds, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=seconds)
    try:
        if server.sock is not None:
            server.sock.settimeout(max(0.1, until - monotonic()))
        if parts.scheme == "smtp" and not insecure:
            server.starttls(context=context)
        if user:
            server.login(user, unquote(parts.password or ""))
        return len(server.send_message(message))
    finally:
        _leave(server)


def _leave(server: smtplib.SMTP) -> None:
    """Say goodbye without waiting for what it says to that: a message that was taken is taken."""
    with suppress(smtplib.SMTPException, OSError):
        server.putcmd("QUIT")
    server.close()


def _message(alerts: Sequence[Alert], sender: str, to: Sequence[str], wall: float) -> EmailMessage:
    message = EmailMessage()
    more = f" (and {len(alerts) - 1} more)" if len(alerts) > 1 else ""
    message["Subject"] = f"[openrouter_resilient] {alerts[0].headline}{more}"
    message["From"], message["To"] = sender, ", ".join(to)
    message["Date"], message["Message-ID"] = formatdate(wall), make_msgid(domain=_domain(sender))
    message.set_content(
        "\n".join(f"{_iso(alert.since)}  {alert}" for alert in alerts)
        + "\n\nCalls go to the other routes meanwhile. What is known now:\n"
        + "    openrouter-resilient health\n"
    )
    return message


def _is_address(text: str) -> bool:
    """Whether a text is one address, to both of the parsers that will read it."""
    message = EmailMessage()
    try:
        message["To"] = text
        (address,) = message["To"].addresses
        read_again = [found for _, found in getaddresses([text])]
    except Exception:  # noqa: BLE001  of what is none the parser raises whatever it trips over
        return False
    whole = address.username and address.domain and read_again == [address.addr_spec]
    return bool(whole) and text.isprintable() and " " not in text


def _domain(address: str) -> str:
    return address.rpartition("@")[2].rstrip(">") or "localhost"


def _checked(url: str, variable: str, schemes: Sequence[str]) -> SplitResult:
    """The parts of a URL.

    Raises:
        ConfigurationError: it is none; the message does not hold it.
    """
    try:
        parts = urlsplit(url)
        fine = parts.scheme in schemes and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        fine = False
    if not fine or not url.isprintable() or " " in url:
        raise ConfigurationError(
            f"{variable} is no URL that begins with {' or '.join(f'{s}://' for s in schemes)}"
        )
    return parts


def _lines(alerts: Sequence[Alert]) -> str:
    return "\n".join(map(str, alerts))


def _iso(wall: float) -> str:
    return datetime.fromtimestamp(wall, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
