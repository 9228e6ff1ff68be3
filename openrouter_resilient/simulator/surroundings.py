"""The environment variables of a process that is to meet the simulator, and nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .simulator import Simulator

OWN_PREFIXES = ("OPENROUTER_", "OPENAI_", "GROQ_", "ANTHROPIC_")
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
SHARED = ("redis_url",)  # what is known of the real upstreams is not true of these


def surroundings(simulator: Simulator, environment: Mapping[str, str]) -> dict[str, str | None]:
    """Return what has to change in an environment; None where a variable has to go."""
    gone = (name for name in environment if _leads_elsewhere(name))
    return {
        **dict.fromkeys(gone),
        "no_proxy": "127.0.0.1,localhost",  # a proxy may be set system-wide, too
        "OPENROUTER_RESILIENT_DOTENV": "off",
        **simulator.environment(),
    }


def _leads_elsewhere(name: str) -> bool:
    return name.upper().startswith(OWN_PREFIXES) or name.lower() in (*PROXIES, *SHARED)
