"""The tools loop: the model calls Python functions until it can answer, whoever serves each step.

    python examples/tools.py
    python examples/tools.py --simulate=refused

A provider may fail between two steps: the conversation goes on elsewhere, and no call is made twice.
"""

from __future__ import annotations

import ast
import operator
from datetime import date

from openrouter_resilient import Client, simulated

OPERATIONS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def calculate(expression: str) -> float:
    """Calculate exactly.

    Args:
        expression: numbers, + - * / and parentheses, such as "2 * (3 + 4)".
    """

    def value(node: ast.expr) -> float:  # what is not arithmetic is never run
        match node:
            case ast.Constant(value=int() | float() as number):
                return number
            case ast.BinOp() if type(node.op) in OPERATIONS:
                return float(OPERATIONS[type(node.op)](value(node.left), value(node.right)))
        raise ValueError(f"{expression!r} is no arithmetic")  # the model is told, and may mend it

    return value(ast.parse(expression, mode="eval").body)


def days_between(first: date, second: date) -> int:
    """Count the days from one date to another."""
    return (second - first).days


def pretend(_face: str, body: dict[str, object]) -> str | dict[str, object]:
    """Play the model for the simulator: call a function, then say what came of it."""
    messages = body["messages"]
    assert isinstance(messages, list)  # noqa: S101  chat-completions form
    if messages[-1]["role"] == "tool":
        return f"That makes {messages[-1]['content']} days."
    arguments = '{"first": "2026-01-01", "second": "2026-12-24"}'
    call = {"name": "days_between", "arguments": arguments}
    return {"content": None, "tool_calls": [{"id": "c1", "type": "function", "function": call}]}


if __name__ == "__main__":
    with simulated(usage=__doc__) as simulator, Client(deadline=60) as client:
        if simulator:
            simulator.answer = pretend
        run = client.run_tools(
            "How many days from New Year to Christmas Eve 2026?", tools=[calculate, days_between]
        )
        for step in run.steps:
            for called in step.called:
                print(f"{called.call.name}({called.call.input}) -> {called.result}")
            print("  served by", step.served)
        print(run)
