"""The example packages pass their own tests here too; `test_stranger.py` installs them away from the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from unpacked import lay_out, run_own_tests

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.mark.parametrize("package", sorted(EXAMPLES.glob("*/pyproject.toml")), ids=lambda path: path.parent.name)
def test_its_own_tests_pass(package: Path, tmp_path: Path) -> None:
    lay_out(package.parent, tmp_path)
    assert " passed" in run_own_tests(package.parent, tmp_path)
