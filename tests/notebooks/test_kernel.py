"""In a real kernel: a stream and a bar are written over in their place, and Ctrl-C does no harm."""

from __future__ import annotations

import re

import pytest

from openrouter_resilient.live import EVERY_S, in_notebook

SHOWN = ("display_data", "update_display_data")


def versions(outputs):
    """What was shown in the one place that was written over: the bundles, oldest first."""
    shown = [(kind, content) for kind, content in outputs if kind in SHOWN]
    kinds = [kind for kind, _ in shown]
    assert ["display_data"] + ["update_display_data"] * (len(shown) - 1) == kinds
    assert 1 == len({content["transient"]["display_id"] for _, content in shown})
    return [content["data"] for _, content in shown]


def texts(bundles):
    return [bundle["text/plain"] for bundle in bundles]


def test_a_stream_at_the_end_of_a_cell_is_shown_as_it_comes(kernel, simulator):
    simulator.latency("openrouter", between_tokens=2 * EVERY_S)

    _, outputs = kernel.run("client.stream('Tell me about <the> Danube.')")

    shown = versions(outputs)
    assert len(set(texts(shown))) > 2
    assert all(
        later.startswith(earlier)
        for earlier, later in zip(texts(shown), texts(shown)[1:], strict=False)
    )
    assert "Simulated answer to: Tell me about <the> Danube." == texts(shown)[-1]
    assert "&lt;the&gt;" in shown[-1]["text/html"]
    assert "served by" not in shown[0]["text/html"]
    assert "via openrouter (Anthropic)" in shown[-1]["text/html"]


def test_what_was_shown_can_be_asked_who_gave_it(kernel):
    kernel.run("client.stream('hi')")

    _, outputs = kernel.run("print(_.served.endpoint)")

    assert [("stream", {"name": "stdout", "text": "openrouter\n"})] == outputs


def test_a_stream_that_broke_leaves_what_came_and_says_so(kernel, simulator):
    simulator.play("cut_mid_stream", after=2)

    _, outputs = kernel.run("client.stream('Tell me about the Danube.')")

    shown = versions(outputs)
    assert "Simulated answer" == texts(shown)[-1]
    assert "broke off at" in shown[-1]["text/html"]
    assert "served by" not in shown[-1]["text/html"]
    assert ["StreamInterrupted"] == [c["ename"] for kind, c in outputs if kind == "error"]


def test_a_batch_has_a_bar_that_is_written_over(kernel, simulator):
    simulator.play("status_422", times=1)

    _, outputs = kernel.run("answers = client.map(['hi'] * 20, workers=1)")

    shown = versions(outputs)
    assert len(shown) > 1
    assert re.fullmatch(r"20 of 20: openrouter 19; 1 failed; \$0\.\d{4}", texts(shown)[-1])
    assert '<progress value="20" max="20"></progress>' in shown[-1]["text/html"]
    assert not any(kind == "stream" for kind, _ in outputs)


HANGING = [
    ("client.complete('hi')", "no_headers", "KeyboardInterrupt"),
    ("for text in client.stream('hi'): pass", "stall_mid_stream", "KeyboardInterrupt"),
    ("client.stream('hi')", "stall_mid_stream", "KeyboardInterrupt"),
    ("client.map(['hi'] * 3)", "no_headers", "BatchInterrupted"),
]


@pytest.mark.parametrize(("code", "fault", "error"), HANGING, ids=lambda value: value)
def test_after_an_interrupt_the_same_client_goes_on(
    kernel, simulator, until_asked, code, fault, error
):
    simulator.play(fault)
    cell = kernel.begin(code)
    until_asked()

    kernel.interrupt()
    reply, _ = kernel.end(cell)

    assert ("error", error) == (reply["status"], reply["ename"])
    simulator.heal()
    reply, outputs = kernel.run("print(client.complete('still').served.attempts)")
    assert "ok" == reply["status"]
    assert "number=1, route='openrouter:anthropic/claude-sonnet-4.5'" in outputs[0][1]["text"]
    assert "number=2" not in outputs[0][1]["text"]  # the interrupt counts against nobody


def test_outside_a_notebook_a_stream_has_its_repr(make_client):
    assert not in_notebook()
    with make_client().stream("hi") as stream, pytest.raises(NotImplementedError):
        stream._ipython_display_()
    assert "<Stream, ended>" == repr(stream)


def test_a_spot_is_not_written_over_more_often_than_an_eye_can_see(kernel):
    _, outputs = kernel.run(
        "from openrouter_resilient.live import EVERY_S, Spot\n"
        "now = 0.0\n"
        "spot = Spot(lambda: now)\n"
        "for now in (0.0, EVERY_S / 2, EVERY_S, EVERY_S * 1.5):\n"
        "    spot.show(lambda: {'text/plain': f'at {now}'})\n"
        "spot.show(lambda: {'text/plain': 'last'}, last=True)"
    )

    assert ["at 0.0", f"at {EVERY_S}", "last"] == texts(versions(outputs))
