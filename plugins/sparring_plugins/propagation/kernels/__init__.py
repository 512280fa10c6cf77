"""Compiled loops over rows and lines: one pass over memory where torch makes a dozen, on processors alone."""
