"""The conformance kit, on this plugin."""

from sparring.testing import conformance

test_conformance = conformance("threat-model", "noisy-channel")
