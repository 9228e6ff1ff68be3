"""Two ways to run the properties: the same examples each time, or a longer search.

`HYPOTHESIS_PROFILE=search pytest tests/properties` looks for new ones.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A fixture that only keeps the machine's settings away may stay the same for all examples.
COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}

settings.register_profile("same", derandomize=True, database=None, max_examples=200, **COMMON)
settings.register_profile("search", max_examples=5_000, print_blob=True, database=None, **COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
