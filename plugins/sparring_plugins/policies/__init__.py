"""Sparring's own plugins: policies."""
