"""The four APIs, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .anthropic import Anthropic
from .groq import Groq
from .openai import OpenAI
from .openrouter import OpenRouter

if TYPE_CHECKING:
    from .base import Face

FACES: dict[str, type[Face]] = {face.name: face for face in (OpenRouter, OpenAI, Groq, Anthropic)}

__all__ = ["FACES"]
