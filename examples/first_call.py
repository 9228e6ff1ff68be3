"""The first call: an answer, who gave it, and what happens when nobody does.

    python examples/first_call.py
    python examples/first_call.py --simulate=refused    # OpenRouter is down: who answers now?

With OPENROUTER_API_KEY in the environment or in a file .env, the answer is a real one.
"""

from __future__ import annotations

import sys

from openrouter_resilient import CallFailed, llm_complete, simulated

with simulated(usage=__doc__):  # fake upstreams where no key is set
    try:
        answer = llm_complete("Name three rivers.", system="One line.", deadline=30)
    except CallFailed as error:  # nobody answered: the message says who was asked, and what to do
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)

    print(answer)
    print("served by", answer.served)
    for attempt in answer.served.attempts:
        print(" -", attempt)
