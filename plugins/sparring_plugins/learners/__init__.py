"""Learners of simulated games, which solvers and learned attacks build on: the project's own PPO, in torch."""
