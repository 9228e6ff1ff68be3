"""One LLM call that gets an answer while providers fail, and says truthfully who gave it.

    from openrouter_resilient import llm_complete

    answer = llm_complete("Name three rivers.")
    print(answer)
    print(answer.served)

Nothing heavy is imported before a name is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from openrouter_resilient._version import __version__

if TYPE_CHECKING:
    from openrouter_resilient.client import Client
    from openrouter_resilient.endpoints.table import Endpoint
    from openrouter_resilient.errors import (
        CallFailed,
        ConfigurationError,
        ContentBlocked,
        ContextTooLong,
        DeadlineExceeded,
        InvalidRequest,
        InvalidStructuredOutput,
        NotRecorded,
        RequestRefused,
        ResilientError,
        RoutesExhausted,
        SpendingCapReached,
        StreamInterrupted,
    )
    from openrouter_resilient.features.batch import BatchInterrupted
    from openrouter_resilient.features.embed import Embeddings
    from openrouter_resilient.features.media import file, image
    from openrouter_resilient.features.models import Model, Models
    from openrouter_resilient.features.parse import Parsed
    from openrouter_resilient.features.tools import ToolRun
    from openrouter_resilient.ledger.ledger import Ledger
    from openrouter_resilient.litellm import completion
    from openrouter_resilient.record import CallRecord
    from openrouter_resilient.rehearsal import simulated
    from openrouter_resilient.served import AttemptRecord, Served, UpstreamAttempt
    from openrouter_resilient.shapes import Completion, Delta
    from openrouter_resilient.sheet import Sheet
    from openrouter_resilient.shortcuts import llm_complete
    from openrouter_resilient.stream import Stream
    from openrouter_resilient.transports.chaos import Chaos
    from openrouter_resilient.transports.replay import Replay

_HOMES = {
    "client": ("Client",),
    "endpoints.table": ("Endpoint",),
    "errors": (
        "CallFailed",
        "ConfigurationError",
        "ContentBlocked",
        "ContextTooLong",
        "DeadlineExceeded",
        "InvalidRequest",
        "NotRecorded",
        "InvalidStructuredOutput",
        "RequestRefused",
        "ResilientError",
        "RoutesExhausted",
        "SpendingCapReached",
        "StreamInterrupted",
    ),
    "features.batch": ("BatchInterrupted",),
    "ledger.ledger": ("Ledger",),
    "features.embed": ("Embeddings",),
    "features.media": ("file", "image"),
    "features.models": ("Model", "Models"),
    "features.parse": ("Parsed",),
    "features.tools": ("ToolRun",),
    "litellm": ("completion",),
    "record": ("CallRecord",),
    "rehearsal": ("simulated",),
    "served": ("AttemptRecord", "Served", "UpstreamAttempt"),
    "shapes": ("Completion", "Delta"),
    "sheet": ("Sheet",),
    "shortcuts": ("llm_complete",),
    "stream": ("Stream",),
    "transports.chaos": ("Chaos",),
    "transports.replay": ("Replay",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AttemptRecord",
    "BatchInterrupted",
    "CallFailed",
    "CallRecord",
    "Chaos",
    "Client",
    "Completion",
    "ConfigurationError",
    "ContentBlocked",
    "ContextTooLong",
    "DeadlineExceeded",
    "Delta",
    "Embeddings",
    "Endpoint",
    "InvalidRequest",
    "InvalidStructuredOutput",
    "Ledger",
    "Model",
    "Models",
    "NotRecorded",
    "Parsed",
    "Replay",
    "RequestRefused",
    "ResilientError",
    "RoutesExhausted",
    "Served",
    "Sheet",
    "SpendingCapReached",
    "Stream",
    "StreamInterrupted",
    "ToolRun",
    "UpstreamAttempt",
    "__version__",
    "completion",
    "file",
    "image",
    "llm_complete",
    "simulated",
]


def __getattr__(name: str) -> object:
    """Load a public name when it is first used."""
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Show every public name, loaded or not."""
    return sorted({*globals(), *__all__})
