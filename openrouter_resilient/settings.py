"""Keys, URLs, chain and limits: from arguments, then the environment, then a `.env` file.

Read when a client is made, never at import, and `os.environ` is not touched. Which variable belongs
to which endpoint stands in the endpoint table, not here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from openrouter_resilient.errors import ConfigurationError

MODELS_VARIABLE = "OPENROUTER_RESILIENT_MODELS"
FALLBACKS_VARIABLE = "OPENROUTER_RESILIENT_FALLBACKS"
DEADLINE_VARIABLE = "OPENROUTER_RESILIENT_DEADLINE"
DOTENV_VARIABLE = "OPENROUTER_RESILIENT_DOTENV"  # "off": no `.env` is read
LEDGER_VARIABLE = "OPENROUTER_RESILIENT_LEDGER"
REDIS_VARIABLE = "REDIS_URL"


class Settings:
    """Named values and where each came from. Its repr shows neither."""

    def __init__(
        self,
        arguments: Mapping[str, str | None] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Prepare to look values up.

        Args:
            arguments: values given in code, by the name of the variable they stand for.
            environment: the process's own where None.
            folder: where the search for a `.env` begins, upwards; the working directory where None.
        """
        self._arguments = arguments or {}
        self._environment = os.environ if environment is None else environment
        self._folder = folder

    def read(self, variable: str) -> str | None:
        """The value of a variable; None where it is nowhere set, or set to nothing."""
        return self._find(variable)[0]

    def origin(self, variable: str) -> str | None:
        """Where a value comes from: "argument", "environment" or the path of the `.env` file."""
        return self._find(variable)[1]

    def secret(self, variable: str) -> SecretStr | None:
        """A key, as a secret.

        Raises:
            ConfigurationError: it holds characters that no HTTP header may carry.
        """
        key = self.read(variable)
        return None if key is None else checked_key(key, variable)

    def listed(self, variable: str) -> list[str] | None:
        """A comma-separated list; None where it is not set."""
        value = self.read(variable)
        return (
            None if value is None else [part.strip() for part in value.split(",") if part.strip()]
        )

    def seconds(self, variable: str) -> float | None:
        """A number of seconds; None where it is not set.

        Raises:
            ConfigurationError: it is no positive number.
        """
        value = self.read(variable)
        if value is None:
            return None
        try:
            seconds = float(value)
        except ValueError:
            seconds = 0.0
        if 0.0 < seconds < float("inf"):
            return seconds
        raise ConfigurationError(f"{variable} must be a positive number of seconds, such as 30")

    def _find(self, variable: str) -> tuple[str | None, str | None]:
        """The first source that has it; an empty value counts as none."""
        value = (self._arguments.get(variable) or "").strip()
        if value:
            return value, "argument"
        value = self._environment.get(variable, "").strip()
        if value:
            return value, "environment"
        value = (self._dotenv.get(variable) or "").strip()
        return (value, str(self._dotenv_path)) if value else (None, None)

    @cached_property
    def _dotenv_path(self) -> Path | None:
        """The nearest `.env`, upwards from the working directory (never from site-packages)."""
        if self._environment.get(DOTENV_VARIABLE, "").strip().lower() == "off":
            return None
        try:
            start = Path(self._folder or Path.cwd()).absolute()
        except FileNotFoundError:  # the working directory was removed
            return None
        paths = (folder / ".env" for folder in (start, *start.parents))
        return next((path for path in paths if _is_file(path)), None)

    @cached_property
    def _dotenv(self) -> Mapping[str, str | None]:
        if self._dotenv_path is None:
            return {}
        from dotenv import dotenv_values  # noqa: PLC0415  25 ms, spent only where a file is

        try:
            return dotenv_values(self._dotenv_path, encoding="utf-8-sig")  # editors on Windows
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"{self._dotenv_path} cannot be read ({type(error).__name__}); mend or remove it"
            ) from error


def _is_file(path: Path) -> bool:
    """Whether a file is there; a folder that may not be looked into has none for us."""
    try:
        return path.is_file()
    except OSError:
        return False


def checked_key(key: str, name: str) -> SecretStr | None:
    """A key, as a secret and without a line end around it; None where nothing is left.

    Raises:
        TypeError: it is no text.
        ConfigurationError: it holds characters that no HTTP header may carry.
    """
    if not isinstance(key, str):
        raise TypeError(f"{name} must be a text, not {type(key).__name__}")
    key = key.strip()
    if not key:
        return None
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigurationError(
            f"{name} holds spaces or characters that no key has; copy the key again"
        )
    return SecretStr(key)


def checked_url(url: str, name: str) -> str:
    """A base URL without its trailing slash.

    Raises:
        ConfigurationError: it has no scheme or host, or holds credentials, a query or a fragment.
    """
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_is_fine = urlsplit(""), False
    if " " in url or not url.isprintable():  # urlsplit would pass over a line end within it
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_fine:
        raise ConfigurationError(
            f"the base URL of {name} needs a scheme and a host, such as https://example.org/v1"
        )
    if "@" in parts.netloc or "?" in url or "#" in url:  # an empty query is one, too
        raise ConfigurationError(
            f"the base URL of {name} may hold no credentials, query or fragment; give the key apart"
        )
    return url.rstrip("/")
