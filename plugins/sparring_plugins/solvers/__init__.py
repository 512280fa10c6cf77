"""Sparring's own plugins: solvers."""
