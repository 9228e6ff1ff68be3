"""Faults strike whom they are meant for, and end when they are told to."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from openrouter_resilient.simulator import Simulator

from .raw import ask, body_for, talk

SONNET, GPT = "anthropic/claude-sonnet-5", "openai/gpt-4o"


def statuses(simulator: Simulator, count: int, face: str = "openrouter") -> list[int]:
    """Ask so many times and return the statuses."""
    return [ask(simulator, face).status for _ in range(count)]


def test_a_fault_with_times_strikes_so_often_and_no_more(simulator: Simulator) -> None:
    simulator.play("openrouter", "status_500", times=2)

    assert statuses(simulator, 4) == [500, 500, 200, 200]


def test_every_third_request_is_struck(simulator: Simulator) -> None:
    simulator.play("openrouter", "status_500", every=3)

    assert statuses(simulator, 6) == [200, 200, 500, 200, 200, 500]


def test_a_rate_is_a_share_that_repeats_with_the_seed() -> None:
    def run(seed: int) -> list[int]:
        with Simulator(("openrouter",), seed=seed) as simulator:
            simulator.play("openrouter", "status_500", rate=0.5)
            return statuses(simulator, 20)

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert {200, 500} == set(run(1))


def test_a_connection_is_counted_once(simulator: Simulator) -> None:
    simulator.play("openrouter", "accept_and_close", every=2)

    assert statuses(simulator, 4) == [200, 0, 200, 0]


def test_faces_fail_apart(simulator: Simulator) -> None:
    simulator.play("openrouter", "status_500")

    assert [ask(simulator, face).status for face in ("openrouter", "openai")] == [500, 200]


def test_openrouter_falls_over_to_its_next_model_and_says_so(simulator: Simulator) -> None:
    simulator.play("openrouter", "status_502", models=(SONNET,))
    body = body_for("openrouter", models=[GPT])

    said = ask(simulator, body=body, X_OpenRouter_Metadata="enabled").json()

    assert (said["model"], said["openrouter_metadata"]["strategy"]) == (GPT, "fallback")
    assert [a["status"] for a in said["openrouter_metadata"]["attempts"]] == [502, 200]
    answered = simulator.requests[0].answered
    assert answered is not None
    assert said["openrouter_metadata"]["attempts"] == answered.upstream_attempts


def test_if_every_model_fails_the_last_ones_error_is_answered(simulator: Simulator) -> None:
    simulator.play("openrouter", "status_502", models=(SONNET,))
    simulator.play("openrouter", "status_503", models=(GPT,))
    body = body_for("openrouter", models=[GPT])

    heard = ask(simulator, body=body, X_OpenRouter_Metadata="enabled")

    assert (heard.status, simulator.requests[0].fault) == (503, "status_503")
    assert [a["status"] for a in heard.json()["openrouter_metadata"]["attempts"]] == [502, 503]


def test_a_model_that_breaks_after_its_first_token_is_not_replaced(simulator: Simulator) -> None:
    simulator.play("openrouter", "cut_mid_stream", models=(SONNET,))

    heard = ask(simulator, body=body_for("openrouter", stream=True, models=[GPT]))

    assert heard.text() == "Simulated answer"
    assert not heard.whole


def test_a_model_that_is_well_serves_though_another_fails(simulator: Simulator) -> None:
    simulator.play("openrouter", "status_502", models=(SONNET,))

    assert ask(simulator, body=body_for("openrouter") | {"model": GPT}).status == 200
    assert ask(simulator).status == 502


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_cut_comes_after_as_many_deltas_as_told(simulator: Simulator, after: int) -> None:
    simulator.play("openrouter", "cut_mid_stream", after=after)

    heard = ask(simulator, body=body_for("openrouter", stream=True))

    answered = simulator.requests[0].answered
    assert answered is not None
    assert "".join(["Simulated", " answer", " to:"][:after]) == heard.text() == answered.text


def test_what_is_played_at_this_moment_can_be_asked(simulator: Simulator) -> None:
    simulator.play("status_503", times=1)
    assert ["status_503"] == simulator.playing()
    assert [] == simulator.playing("openai")

    ask(simulator)  # the only one that is struck
    assert [] == simulator.playing()


def test_an_outage_refuses_and_heals_on_the_same_port(simulator: Simulator) -> None:
    before = simulator.url("openrouter")

    simulator.outage("openrouter")
    assert ask(simulator).ended == "refused"

    simulator.heal("openrouter")
    assert (before, 200) == (simulator.url("openrouter"), ask(simulator).status)


def test_an_outage_cuts_what_is_under_way(simulator: Simulator) -> None:
    simulator.play("openrouter", "no_headers")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, simulator, "openrouter", patience=10)
        wait_for(lambda: len(simulator.requests) == 1)
        simulator.outage("openrouter")

        assert waiting.result().ended in ("closed", "reset")


def test_healing_ends_a_silence_at_once(simulator: Simulator) -> None:
    simulator.play("openrouter", "no_headers")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, simulator, "openrouter", patience=10)
        wait_for(lambda: len(simulator.requests) == 1)
        began = time.monotonic()
        simulator.heal()
        waiting.result()

    assert time.monotonic() - began < 1
    assert ask(simulator).status == 200


def test_a_connect_hangs_while_the_backlog_is_full(simulator: Simulator) -> None:
    simulator.play("openrouter", "connect_hangs")
    heard = ask(simulator, patience=0.2)
    simulator.heal()

    assert (heard.ended, heard.raw) == ("late", b"")
    assert simulator.requests == []


def test_the_address_changes_while_name_or_encryption_is_at_fault(simulator: Simulator) -> None:
    simulator.play("openrouter", "unresolved", name="nowhere")
    simulator.play("openai", "tls_to_plain")

    assert simulator.url("openrouter").startswith("http://nowhere.invalid:")
    assert simulator.url("openai").startswith("https://127.0.0.1:")

    simulator.heal()
    assert simulator.url("openrouter").startswith("http://127.0.0.1:")


def test_a_plain_port_does_not_choke_on_a_client_hello(simulator: Simulator) -> None:
    port = int(simulator.url("openai").split(":")[2].split("/")[0])

    assert talk(port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64).status == 400


def test_a_pattern_plays_another_fault_with_its_options(simulator: Simulator) -> None:
    simulator.play("openrouter", "first_k_fail", k=2, fault="rate_limit_seconds", seconds=7)

    heard = [ask(simulator) for _ in range(3)]

    assert [answer.status for answer in heard] == [429, 429, 200]
    assert heard[0].headers["retry-after"] == "7"
    assert [r.fault for r in simulator.requests] == ["rate_limit_seconds"] * 2 + [None]


def test_the_brownout_goes_from_500s_to_401s_and_ends(simulator: Simulator) -> None:
    simulator.play("openrouter", "brownout", first_requests=40, second_requests=20)

    seen = statuses(simulator, 65)

    assert {200, 500} == set(seen[:40])
    assert seen[:40].count(500) < 20
    assert seen[40:60].count(401) > 10
    assert seen[60:] == [200] * 5


def test_a_redirects_target_answers_and_records_the_key_that_followed(
    simulator: Simulator,
) -> None:
    simulator.play("openrouter", "redirect_307")
    headers = {"Authorization": f"Bearer {simulator.key('openrouter')}"}
    url = simulator.url("openrouter") + "/chat/completions"

    with requests.Session() as session:
        session.trust_env = False
        reply = session.post(url, json=body_for("openrouter"), headers=headers, timeout=5)

    first, second = simulator.requests
    assert (reply.status_code, first.fault, second.fault) == (200, "redirect_307", None)
    assert second.path == "/moved/api/v1/chat/completions"
    assert simulator.key("openrouter") == second.key


def test_a_redirect_can_name_another_host(simulator: Simulator) -> None:
    simulator.play("openrouter", "redirect_other_host")
    assert ask(simulator).headers["location"].startswith("http://localhost:")

    simulator.play("openrouter", "redirect_other_host", location="https://example.org/x")
    assert ask(simulator).headers["location"] == "https://example.org/x"


@pytest.mark.parametrize(
    ("face", "name", "options", "words"),
    [
        ("openruter", "refused", {}, "did you mean 'openrouter'"),
        ("openrouter", "status_50", {}, "did you mean 'status_50"),
        ("openrouter", "cut_mid_stream", {"aftr": 1}, "did you mean 'after'"),
        ("openrouter", "cut_mid_stream", {"after": "two"}, "is like 2"),
        ("openrouter", "status_500", {"models": ("openai/gpt-4",)}, "did you mean 'openai/gpt-4"),
        ("openrouter", "refused", {"times": 3}, "no requests can be counted"),
        ("openrouter", "first_k_fail", {"fault": "refused"}, "needs one that plays a request"),
        ("openrouter", "status_500", {"every": 0}, "cannot be"),
    ],
)
def test_a_wish_that_cannot_be_is_refused_at_once(
    simulator: Simulator, face: str, name: str, options: dict[str, object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        simulator.play(face, name, **options)  # type: ignore[arg-type]  # that is the point

    assert ask(simulator).status == 200


def test_stopping_leaves_no_thread_and_wakes_whoever_waits() -> None:
    threads = set(threading.enumerate())
    simulator = Simulator().start()
    simulator.play("openrouter", "no_headers")
    simulator.latency("openai", first_token=60)
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(ask, simulator, face) for face in ("openrouter", "openai")]
        wait_for(lambda: len(simulator.requests) == 2)
        began = time.monotonic()
        simulator.stop()
        stopped = time.monotonic() - began
        assert all(answer.result().ended != "late" for answer in waiting)

    assert stopped < 1
    assert threads == set(threading.enumerate())
    with pytest.raises(RuntimeError, match="stopped"):
        simulator.url("openai")


def test_sixty_four_clients_at_once_all_get_their_own_answer(simulator: Simulator) -> None:
    def one(number: int) -> bool:
        body = body_for("openrouter", prompt=f"number {number}", stream=True)
        return f"Simulated answer to: number {number}" == ask(simulator, body=body).text()

    with ThreadPoolExecutor(64) as pool:
        assert all(pool.map(one, range(256)))
    assert len({r.number for r in simulator.requests}) == 256


def wait_for(claim: object, seconds: float = 5.0) -> None:
    """Wait until a claim is true, which the simulator's threads make it."""
    assert callable(claim)
    until, pause = time.monotonic() + seconds, threading.Event()
    while not claim():
        assert time.monotonic() < until
        pause.wait(0.002)
