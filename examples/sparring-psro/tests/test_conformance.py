"""The conformance kit, on both plugins."""

from sparring.testing import conformance

test_solver = conformance("solver", "psro")
test_metric = conformance("metric", "deviation")
