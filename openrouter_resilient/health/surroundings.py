"""Examines what stands around the endpoints: Redis, alerts, ledger, clock, proxies, CAs."""

from __future__ import annotations

import os
import sqlite3
import ssl
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path

from requests.utils import get_environ_proxies, select_proxy

from openrouter_resilient.endpoints.table import Endpoint
from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.health.channels import channels, heartbeat
from openrouter_resilient.health.findings import Finding, fine, problem, warning
from openrouter_resilient.health.redis_link import Link, LinkError, check_url, masked_url
from openrouter_resilient.health.report import duration
from openrouter_resilient.health.word import Rubbish, Said, heard, read_word
from openrouter_resilient.ledger.ledger import expanded
from openrouter_resilient.ledger.migrations import check_not_newer
from openrouter_resilient.settings import LEDGER_VARIABLE, REDIS_VARIABLE, Settings
from openrouter_resilient.wire.clock import Clock, monotonic

MOST_SKEW_S = 60.0
SLOW_REDIS_S = 0.05  # what a call waits for it at the most
TRY_KEY = "openrouter-resilient:doctor"
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def redis(settings: Settings, names: Sequence[str], clock: Clock) -> list[Finding]:
    """Whether Redis can be read and written, how quick it is, and whether a probe writes to it."""
    url = settings.read(REDIS_VARIABLE)
    if url is None:
        return [fine("redis", "not set; each process knows what it has met itself")]
    where = f"{masked_url(url)} ({settings.origin(REDIS_VARIABLE)})"
    mend = f"start it, or mend {REDIS_VARIABLE}; calls go on without it meanwhile"
    try:
        check_url(url)
        link = Link(url)
        link.read(names)  # what connecting costs is paid once
        began = monotonic()
        found = link.read(names)
        took = monotonic() - began
        link.put(TRY_KEY, "works", 1.0)
        link.close()
    except (LinkError, ConfigurationError) as error:
        return [problem("redis", f"{where}: {error}", mend)]
    quick = fine("redis", f"{where} is read and written in {took * 1000:.1f} ms")
    if took > SLOW_REDIS_S:
        text = f"{where} takes {took * 1000:.0f} ms; calls will not wait for it"
        quick = warning("redis", text, "use one that is nearer")
    return [quick, _probe_words(found.values(), clock)]


def _probe_words(found: Iterable[tuple[bytes, float]], clock: Clock) -> Finding:
    """Whether a probe has lately said anything."""
    ages = []
    now = clock.now()
    for data, left in found:
        try:
            said: Said = read_word(data)
        except Rubbish:
            continue
        word = heard(said, left=left, now=now, wall=clock.wall())
        if word is not None and word.by.startswith("probe"):
            ages.append(now - word.checked_at)
    if ages:
        return fine("probe", f"one has written {duration(min(ages))} ago")
    mend = "install one: (crontab -l; openrouter-resilient probe --print-cron) | crontab -"
    return warning("probe", "none has written of late; outages are met by calls", mend)


def alerts(settings: Settings, clock: Clock) -> list[Finding]:
    """Whether the ways to reach people are well formed; nothing is sent."""
    try:
        names = [channel.name for channel in channels(settings, clock)]
        names += ["heartbeat"] if heartbeat(settings) else []
    except ConfigurationError as error:
        return [problem("alerts", str(error), "mend it")]
    return [fine("alerts", ", ".join(names) or "none set; nobody is told of a change")]


def ledger(settings: Settings) -> list[Finding]:
    """Whether the ledger's file can be written."""
    path = settings.read(LEDGER_VARIABLE)
    if path is None:
        return [fine("ledger", "not set; `report` will have nothing to tell of")]
    file = expanded(path).absolute()
    trouble = _trouble_with(file)
    if trouble:
        mend = f"make it writable, or set {LEDGER_VARIABLE} to another path"
        return [problem("ledger", trouble, mend)]
    return [fine("ledger", f"{file} can be written")]


def _trouble_with(file: Path) -> str:
    """Why a ledger's file cannot be written; empty if it can. Nothing is made or changed."""
    try:
        if file.is_file():
            _try_to_write(file)
        elif file.exists():
            return f"{file} is no regular file"
        elif not os.access(file.parent, os.W_OK | os.X_OK):
            return f"{file.parent} cannot be written"
    except OSError as error:
        return f"{file}: {error.strerror or type(error).__name__}"
    except sqlite3.Error as error:
        return f"{file} cannot be used: {error}"
    return ""


def _try_to_write(file: Path) -> None:
    """Begin to write to a ledger, and leave it at that.

    Raises:
        sqlite3.Error, OSError: it cannot be written, is of another version, or is something else.
    """
    with file.open("rb+"):
        pass  # whose error says more than SQLite's
    address = f"{file.as_uri()}?mode=rw"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None)) as connection:
        check_not_newer(connection)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


def clock_of(skews: Sequence[float]) -> list[Finding]:
    """Whether this machine's clock agrees with any of the servers'.

    Args:
        skews: seconds by which it is ahead of each.
    """
    if not skews:
        return [fine("clock", "not compared; no server has answered")]
    skew = min(skews, key=abs)
    if abs(skew) <= MOST_SKEW_S:
        return [fine("clock", "it agrees with the servers'")]
    way = "ahead of" if skew > 0 else "behind"
    text = f"this machine's clock is {duration(abs(skew))} {way} the servers'"
    mend = "set it (timedatectl set-ntp true): certificates, times to live and records depend on it"
    return [problem("clock", text, mend)]


def network(endpoints: Iterable[Endpoint]) -> list[Finding]:
    """Which proxies and which CA bundle the environment asks for."""
    proxies = {
        f"{endpoint.name} through {masked_url(proxy if '://' in proxy else f'http://{proxy}')}"
        for endpoint in endpoints
        if (proxy := select_proxy(endpoint.base_url, get_environ_proxies(endpoint.base_url)))
    }
    found = [fine("proxy", ", ".join(sorted(proxies)) or "none")]
    for variable in CA_VARIABLES:
        bundle = os.environ.get(variable)
        if bundle:
            return [*found, _bundle(variable, bundle)]
    return [*found, fine("CA bundle", "certifi's")]


def _bundle(variable: str, bundle: str) -> Finding:
    try:
        context = ssl.create_default_context()
        if Path(bundle).is_dir():
            context.load_verify_locations(capath=bundle)
        else:
            context.load_verify_locations(cafile=bundle)
    except (OSError, ssl.SSLError):
        text = f"{bundle} cannot be read as one"
        return problem("CA bundle", text, f"mend or unset {variable}")
    return fine("CA bundle", f"{bundle} ({variable})")
