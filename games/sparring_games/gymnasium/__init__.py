"""Gymnasium's environments as simulated games: MuJoCo robots, Atari games, classic control and your own."""
