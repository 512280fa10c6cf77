"""Projections: inside, nearest, idempotent, and still where nothing is to be done."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from sparring.projection import project_ball, project_simplex

NUMBERS = st.floats(-100, 100)
ROWS = arrays(np.float64, array_shapes(min_dims=1, max_dims=3, max_side=6), elements=NUMBERS)
RADII = st.one_of(st.just(0.0), st.floats(1e-6, 150))
ORDERS = {"inf": np.inf, "2": 2, "1": 1}
NORMS = st.sampled_from(sorted(ORDERS))
RUNS = settings(derandomize=True, max_examples=80, deadline=None)


def size(change, norm):
    return np.linalg.norm(change, ord=ORDERS[norm], axis=-1)


def distance(points, others):
    return np.linalg.norm(points - others, axis=-1)


@RUNS
@given(ROWS)
def test_the_simplex_projection_is_a_distribution_and_idempotent(points):
    before = points.copy()
    found = project_simplex(points)
    assert found.shape == points.shape
    assert (found >= 0).all()
    assert found.sum(axis=-1) == pytest.approx(1.0, abs=1e-11)
    assert np.abs(project_simplex(found) - found).max() <= 1e-13
    assert (points == before).all()


@RUNS
@given(ROWS, st.integers(0, 2**32))
def test_no_distribution_is_nearer_than_the_simplex_projection(points, seed):
    found = project_simplex(points)
    rng = np.random.default_rng(seed)
    width = points.shape[-1]
    for spread in (1.0, 1e-3):
        others = rng.dirichlet(np.ones(width), size=points.shape[:-1])
        near = (1 - spread) * found + spread * others
        assert (distance(points, found) <= distance(points, near) + 1e-9).all()
    for corner in np.eye(width):
        # The angle at a projection onto a convex set is never acute (variational inequality).
        assert (np.sum((points - found) * (corner - found), axis=-1) <= 1e-9).all()


@RUNS
@given(st.integers(1, 7), st.integers(0, 2**32))
def test_a_distribution_projects_to_itself(width, seed):
    row = np.random.default_rng(seed).dirichlet(np.full(width, 0.5), size=4)
    assert np.abs(project_simplex(row) - row).max() <= 1e-15


def test_known_simplex_projections():
    assert project_simplex(np.array([0.5, 0.5, 0.5])).tolist() == pytest.approx([1 / 3] * 3)
    assert project_simplex(np.array([2.0, 0.0])).tolist() == [1.0, 0.0]
    assert project_simplex(np.array([[0.8, 0.6], [-5.0, 5.0]])) == pytest.approx(np.array([[0.6, 0.4], [0.0, 1.0]]))


@RUNS
@given(ROWS, RADII, NORMS)
def test_the_ball_projection_is_inside_and_idempotent(change, radius, norm):
    before = change.copy()
    found = project_ball(change, radius, norm)
    assert found.shape == change.shape
    assert (size(found, norm) <= radius * (1 + 1e-12)).all()
    assert np.abs(project_ball(found, radius, norm) - found).max() <= 1e-12 * max(radius, 1e-6)
    assert (change == before).all()


@RUNS
@given(ROWS, RADII, NORMS, st.integers(0, 2**32))
def test_no_change_in_the_ball_is_nearer(change, radius, norm, seed):
    found = project_ball(change, radius, norm)
    rng = np.random.default_rng(seed)
    for _ in range(5):
        others = rng.normal(size=change.shape)
        inside = others * (radius * rng.random() / np.maximum(size(others, norm), 1e-300))[..., None]
        assert (size(inside, norm) <= radius * (1 + 1e-9)).all()
        assert (distance(change, found) <= distance(change, inside) + 1e-9).all()
        assert (np.sum((change - found) * (inside - found), axis=-1) <= 1e-8 * (1 + radius * size(change, "2"))).all()


@RUNS
@given(ROWS, st.floats(1.0, 3.0), NORMS)
def test_inside_changes_are_not_moved_by_a_bit(change, slack, norm):
    radius = size(change, norm) * slack * (1 + 1e-12) + 1e-9
    found = project_ball(change, radius[..., None] if norm == "inf" else radius, norm)
    assert (found == change).all()


@pytest.mark.parametrize("norm", sorted(ORDERS))
@pytest.mark.parametrize("change", [[3.0, -4.0], [1e-200, 0.0], [1e200, 1e200], [0.0, 0.0], [5e-324, -5e-324]])
def test_a_radius_of_zero_allows_no_change_at_all(change, norm):
    assert (project_ball(np.array([change]), 0.0, norm) == 0).all()


def test_known_ball_projections():
    change = np.array([[3.0, 4.0]])
    assert project_ball(change, 1.0, "2") == pytest.approx(np.array([[0.6, 0.8]]))
    assert project_ball(change, 3.5, "inf").tolist() == [[3.0, 3.5]]
    assert project_ball(change, 3.0, "1") == pytest.approx(np.array([[1.0, 2.0]]))
    assert project_ball(-change, 1.0, "1") == pytest.approx(np.array([[0.0, -1.0]]))


@pytest.mark.parametrize("radius", [0.5, 1e200])
@pytest.mark.parametrize("norm", ["2", "1"])
def test_a_length_beyond_all_numbers_is_projected_all_the_same(norm, radius):
    change = np.stack([np.full(72, 1e308), 1.7e308 * np.linspace(-1, 1, 72), np.full(72, 1e-3)])
    found = project_ball(change, radius, norm)
    longest = np.abs(found).max(axis=1, keepdims=True)
    sizes = longest[:, 0] * np.linalg.norm(found / longest, ord=int(norm), axis=1)
    assert sizes[:2] == pytest.approx(np.full(2, radius))
    if norm == "2":
        assert found[0] / radius == pytest.approx(np.full(72, 72**-0.5))
        assert found[1] / found[1].max() == pytest.approx(change[1] / change[1].max())
    if radius > 1:
        assert (found[2] == change[2]).all()


def test_each_row_has_its_own_radius():
    change = np.array([[3.0, 4.0], [3.0, 4.0], [3.0, 4.0]])
    found = project_ball(change, np.array([0.0, 2.5, 9.0]), "2")
    assert found == pytest.approx(np.array([[0.0, 0.0], [1.5, 2.0], [3.0, 4.0]]))
    features = project_ball(change, np.array([1.0, 2.0]), "inf")
    assert features.tolist() == [[1.0, 2.0]] * 3
