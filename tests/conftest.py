"""What all tests share: the shared folder, hypothesis without chance or deadlines, built distributions."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from fresh_environment import Distributions, build_distributions

CHECKOUT = Path(__file__).resolve().parent.parent

# Where auto_LiRPA lies, if it is not installed; last, so that it hides nothing.
sys.path += [os.environ["SPARRING_AUTO_LIRPA"]] if "SPARRING_AUTO_LIRPA" in os.environ else []

# One thread for torch, in workers too: the networks here are small, and waiting threads slow them down many times.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

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
