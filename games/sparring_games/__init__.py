"""Where games come from: one module a source, each found by the core through its hooks."""
