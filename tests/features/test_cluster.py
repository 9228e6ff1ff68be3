"""The same line on a Dask cluster of two processes, with an outage in the middle."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from openrouter_resilient import Completion

distributed = pytest.importorskip("distributed", reason="the dask extra is not installed")


@pytest.mark.filterwarnings("default")  # the cluster's own are not this package's
def test_a_cluster_goes_on_through_an_outage(simulator, make_client, monkeypatch, tmp_path):
    for name, value in simulator.environment().items():
        monkeypatch.setenv(name, value)
    client = make_client(environment=None)
    simulator.play("openrouter", "fails_after_k", k=40, fault="reset_before_headers")
    asking = [f"prompt {number:05}." for number in range(120)]

    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None,
            local_directory=str(tmp_path),
        ) as cluster,
        distributed.Client(cluster) as dask,
    ):  # fmt: skip
        workers = dask.run(os.getpid)
        results = client.map(
            asking, executor=dask.get_executor(), workers=8, progress=False,
            checkpoint=tmp_path / "run.jsonl",
        )  # fmt: skip

    served = Counter(result.served.endpoint for result in results)
    assert 2 == len(set(workers.values()) - {os.getpid()})
    assert all(isinstance(result, Completion) for result in results)
    assert all(prompt in result.text for prompt, result in zip(asking, results, strict=True))
    assert 40 <= served["openrouter"]
    assert served["openai"] >= 40
    assert 120 == sum(served.values())
    answered = [request for request in simulator.requests if request.fault is None]
    assert dict.fromkeys(asking, 1) == Counter(
        request.body["messages"][-1]["content"] for request in answered
    )
