"""What a call costs, beside its peers: `python -m tests.benchmarks`. Not part of the test run."""
