"""The models each face knows.

Prices and lengths are plausible, not current: they only have to be different from each other.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    """One model: the id it is asked by, the id the reply names, and who serves it."""

    id: str
    dated: str
    provider: str
    context_tokens: int
    prompt_usd: float  # per million tokens
    completion_usd: float  # per million tokens
    reasons: bool = False  # refuses max_tokens and temperature at OpenAI
    sees: bool = True  # takes pictures


@dataclass(frozen=True)
class Vectors:
    """One model that embeds: the name its replies give, and how long its vectors are."""

    said: str
    dimensions: int
    prompt_usd: float  # per million tokens


def _table(*models: Model) -> dict[str, Model]:
    return {model.id: model for model in models}


# fmt: off
OPENROUTER = _table(
    Model("anthropic/claude-sonnet-5",         "anthropic/claude-sonnet-5-20260630",   "Anthropic",      1_000_000, 2.0,  10.0),
    Model("anthropic/claude-sonnet-4.5",       "anthropic/claude-4.5-sonnet-20250929", "Anthropic",      1_000_000, 3.0,  15.0),
    Model("anthropic/claude-haiku-4.5",        "anthropic/claude-4.5-haiku-20251001",  "Anthropic",      200_000,   1.0,  5.0),
    Model("anthropic/claude-opus-4.5",         "anthropic/claude-4.5-opus-20251124",   "Amazon Bedrock", 200_000,   5.0,  25.0),
    Model("anthropic/claude-3.5-sonnet",       "anthropic/claude-3.5-sonnet",         "Anthropic",      200_000,   3.0,  15.0),
    Model("openai/gpt-4o",                     "openai/gpt-4o",                        "OpenAI",         128_000,   2.5,  10.0),
    Model("openai/gpt-4o-mini",                "openai/gpt-4o-mini",                   "OpenAI",         128_000,   0.15, 0.6),
    Model("openai/gpt-4.1",                    "openai/gpt-4.1-2025-04-14",            "OpenAI",         1_047_576, 2.0,  8.0),
    Model("openai/gpt-4.1-mini",               "openai/gpt-4.1-mini-2025-04-14",       "OpenAI",         1_047_576, 0.4,  1.6),
    Model("openai/gpt-5",                      "openai/gpt-5-2025-08-07",              "OpenAI",         400_000,   1.25, 10.0, reasons=True),
    Model("openai/gpt-5-mini",                 "openai/gpt-5-mini-2025-08-07",         "Azure",          400_000,   0.25, 2.0, reasons=True),
    Model("openai/gpt-oss-120b",               "openai/gpt-oss-120b",                  "Groq",           131_072,   0.15, 0.6, sees=False),
    Model("google/gemini-2.5-pro",             "google/gemini-2.5-pro",                "Google",         1_048_576, 1.25, 10.0),
    Model("google/gemini-2.5-flash",           "google/gemini-2.5-flash",              "Google AI Studio", 1_048_576, 0.3, 2.5),
    Model("meta-llama/llama-3.3-70b-instruct", "meta-llama/llama-3.3-70b-instruct",    "DeepInfra",      131_072,   0.13, 0.4, sees=False),
    Model("meta-llama/llama-3.3-70b-instruct:free", "meta-llama/llama-3.3-70b-instruct:free", "Venice",  65_536,    0.0,  0.0, sees=False),
    Model("deepseek/deepseek-chat-v3.1",       "deepseek/deepseek-chat-v3.1",          "DeepSeek",       163_840,   0.27, 1.0, sees=False),
    Model("mistralai/mistral-small-3.2-24b-instruct", "mistralai/mistral-small-3.2-24b-instruct-2506", "Mistral", 131_072, 0.06, 0.18),
    Model("qwen/qwen3-32b",                    "qwen/qwen3-32b-04-28",                 "Nebius",         40_960,    0.1,  0.3, sees=False),
)

# Ids that stand for another model: the alias, the model that serves, the strategy OpenRouter names.
ALIASES: dict[str, tuple[str, str]] = {
    "~anthropic/claude-sonnet-latest": ("anthropic/claude-sonnet-5",              "latest"),
    "~anthropic/claude-haiku-latest":  ("anthropic/claude-haiku-4.5",             "latest"),
    "~openai/gpt-latest":              ("openai/gpt-5",                           "latest"),
    "~openai/gpt-mini-latest":         ("openai/gpt-5-mini",                      "latest"),
    "~google/gemini-flash-latest":     ("google/gemini-2.5-flash",                "latest"),
    "openrouter/auto":                 ("openai/gpt-4o",                          "auto"),
    "openrouter/free":                 ("meta-llama/llama-3.3-70b-instruct:free", "free"),
}

OPENAI = _table(
    Model("gpt-4o",            "gpt-4o-2024-08-06",       "OpenAI", 128_000,   2.5,  10.0),
    Model("gpt-4o-mini",       "gpt-4o-mini-2024-07-18",  "OpenAI", 128_000,   0.15, 0.6),
    Model("gpt-4.1",           "gpt-4.1-2025-04-14",      "OpenAI", 1_047_576, 2.0,  8.0),
    Model("gpt-4.1-mini",      "gpt-4.1-mini-2025-04-14", "OpenAI", 1_047_576, 0.4,  1.6),
    Model("gpt-5",             "gpt-5-2025-08-07",        "OpenAI", 400_000,   1.25, 10.0, reasons=True),
    Model("gpt-5-mini",        "gpt-5-mini-2025-08-07",   "OpenAI", 400_000,   0.25, 2.0, reasons=True),
    Model("gpt-5-chat-latest", "gpt-5-chat-latest",       "OpenAI", 128_000,   1.25, 10.0),
    Model("o3",                "o3-2025-04-16",           "OpenAI", 200_000,   2.0,  8.0, reasons=True),
    Model("o4-mini",           "o4-mini-2025-04-16",      "OpenAI", 200_000,   1.1,  4.4, reasons=True),
)

GROQ = _table(
    Model("llama-3.3-70b-versatile", "llama-3.3-70b-versatile", "Groq", 131_072, 0.59, 0.79, sees=False),
    Model("llama-3.1-70b-versatile", "llama-3.1-70b-versatile", "Groq", 131_072, 0.59, 0.79, sees=False),
    Model("llama-3.1-8b-instant",    "llama-3.1-8b-instant",    "Groq", 131_072, 0.05, 0.08, sees=False),
    Model("openai/gpt-oss-120b",     "openai/gpt-oss-120b",     "Groq", 131_072, 0.15, 0.6, sees=False),
    Model("openai/gpt-oss-20b",      "openai/gpt-oss-20b",      "Groq", 131_072, 0.1,  0.5, sees=False),
    Model("qwen/qwen3-32b",          "qwen/qwen3-32b",          "Groq", 131_072, 0.29, 0.59, sees=False),
    Model("meta-llama/llama-4-scout-17b-16e-instruct", "meta-llama/llama-4-scout-17b-16e-instruct", "Groq", 131_072, 0.11, 0.34),
)

ANTHROPIC = _table(
    Model("claude-sonnet-4-5",          "claude-sonnet-4-5-20250929", "Anthropic", 200_000, 3.0,  15.0),
    Model("claude-sonnet-5",            "claude-sonnet-5",            "Anthropic", 200_000, 3.0,  15.0),
    Model("claude-haiku-4-5",           "claude-haiku-4-5-20251001",  "Anthropic", 200_000, 1.0,  5.0),
    Model("claude-opus-4-5",            "claude-opus-4-5-20251101",   "Anthropic", 200_000, 5.0,  25.0),
    Model("claude-3-5-sonnet-20241022", "claude-3-5-sonnet-20241022", "Anthropic", 200_000, 3.0,  15.0),
    Model("claude-3-5-haiku-20241022",  "claude-3-5-haiku-20241022",  "Anthropic", 200_000, 0.8,  4.0),
)

# A small length where the real ones have thousands: enough to tell one text from another.
VECTORS = {
    "text-embedding-3-small": Vectors("text-embedding-3-small",    96,  0.02),
    "text-embedding-3-large": Vectors("text-embedding-3-large",    192, 0.13),
    "text-embedding-ada-002": Vectors("text-embedding-ada-002-v2", 96,  0.1),
}
OPENAI_VECTORS = VECTORS
OPENROUTER_VECTORS = {f"openai/{name}": model for name, model in VECTORS.items()}
# fmt: on
