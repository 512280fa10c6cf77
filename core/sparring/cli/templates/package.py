"""The files around a new plugin; `$` marks what differs from package to package (`string.Template`)."""

from __future__ import annotations

__all__ = ["FILES"]

PYPROJECT = """\
[build-system]
requires = ["setuptools>=80"]
build-backend = "setuptools.build_meta"

[project]
name = "$distribution"
version = "0.1.0"
description = "$summary"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["$requirement"]
# Put a licence of your choice into a file LICENSE and name it here:
# license = "Apache-2.0"
# license-files = ["LICENSE"]

[dependency-groups]
dev = ["hypothesis", "pytest", "ruff"]

# `kind.name` = module: Sparring lists plugins by this line alone, and imports the module when it is asked for.
[project.entry-points.sparring]
"$kind.$name" = "$module"

[tool.setuptools.packages.find]
where = ["src"]

[tool.setuptools.package-data]
"*" = ["py.typed"]

[tool.ruff]
line-length = 120

[tool.pytest.ini_options]
testpaths = ["tests"]
"""

README = """\
# $distribution

The $kind `$name` for [Sparring]: $summary.

```bash
pip install .                      # or `pip install --editable .` while you work on it
sparring plugins info $name
sparring plugins check $kind.$name
$example
```

## Make it yours

1. `src/$module/__init__.py` is the plugin: a class that declares itself, and the hook that gives it. It works as it
   stands; replace what it does.
2. `pytest` runs the conformance kit, and so does `sparring plugins check $kind.$name`. Each failure says the cause, the
   place and the remedy. Add tests of values that you know.
3. Choose a licence (`LICENSE`, and two lines in `pyproject.toml`), then build with `python -m build` and publish.

Whoever installs the package has `$name` from then on: `sparring plugins list` shows it.

[Sparring]: its documentation lists every extension point on the page *Plugins*.
"""

TEST = '''\
"""The conformance kit, on this plugin. Add tests of values that you know."""

from sparring.testing import conformance

test_conformance = conformance("$kind", "$name")
'''

CI = """\
name: tests

on: [push, pull_request]

jobs:
  tests:
    runs-on: ubuntu-latest
    strategy:
      matrix:
        python: ["3.11", "3.12", "3.13"]
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: $${{ matrix.python }}
      - run: python -m pip install --upgrade pip
      - run: python -m pip install --editable . --group dev
      - run: ruff check .
      - run: pytest
"""

GITIGNORE = """\
/.venv/
/build/
/dist/
*.egg-info/
__pycache__/
.hypothesis/
.pytest_cache/
.ruff_cache/
"""

FILES = {
    "pyproject.toml": PYPROJECT,
    "README.md": README,
    ".gitignore": GITIGNORE,
    ".github/workflows/tests.yml": CI,
    "tests/test_conformance.py": TEST,
    "src/$module/py.typed": "",
}
"""Path of each file in the package and what it holds; the plugin itself is `src/$module/__init__.py`."""
