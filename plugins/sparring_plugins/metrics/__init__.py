"""Sparring's own plugins: metrics."""
