"""Tabular Markov games, exact."""
