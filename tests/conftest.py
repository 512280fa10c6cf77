"""What all tests share: the shared folder, hypothesis without chance or deadlines, built distributions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

from fresh_environment import Distributions, build_distributions

CHECKOUT = Path(__file__).resolve().parent.parent

# The same examples every time, and no deadline: compiled code is slow once, and machines differ.
settings.register_profile("sparring", derandomize=True, deadline=None)
settings.load_profile("sparring")


@pytest.fixture(scope="session")
def checkout() -> Path:
    """Root of the source tree that is under test."""
    return CHECKOUT


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """Folder of reference networks and values: SPARRING_SHARED, else `shared` beside the checkout."""
    named = os.environ.get("SPARRING_SHARED")
    if named is not None:
        folder = Path(named)
        if not folder.is_dir():
            pytest.fail(f"SPARRING_SHARED={named}: there is no such folder", pytrace=False)
        return folder
    folder = CHECKOUT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("neither SPARRING_SHARED nor a folder `shared` beside the checkout: reference data not at hand")
    return folder


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Distributions:
    """The sdist, and the wheel built from it, out of a copy of the checkout."""
    return build_distributions(CHECKOUT, tmp_path_factory.mktemp("distributions"))
