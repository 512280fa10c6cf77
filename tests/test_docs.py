"""The documentation runs: every block of code in README.md and docs/ does what it shows.

A page is run from top to bottom in one empty folder, so that later blocks can use what earlier ones made:

- ```` ```python ```` is executed; all such blocks of a page share their names. With `title="FILE"` after it the
  block is written to that file instead.
- ```` ```pycon ```` (lines with `>>>`) is executed too, and what it shows must be what comes out.
- ```` ```console ```` : lines that start with `$ ` are run by bash with this environment's `sparring`;
  what is shown below a line must be what comes out (standard output and error). Without anything
  below it, a line must only end with code 0.
- `...` in what is shown stands for anything, and runs of blanks are all the same.
- `<!-- not run: the reason -->` on the line before a block leaves it out; a block in another language
  (` ```bash `, ` ```text `) is never run.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").rglob("*.md"))]
FENCE = re.compile(
    r"(?:^[ \t]*<!-- *not run: *(?P<reason>[^\n]*?) *-->[ \t]*\n+)?"
    r"^(?P<indent>[ \t]*)```(?P<language>python|pycon|console)\b(?P<rest>[^\n]*)\n(?P<text>.*?)^(?P=indent)```[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
LOOSE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass(frozen=True)
class Block:
    """A block of code on a page, with the line its text starts at."""

    language: str
    text: str
    line: int
    file: str | None = None
    """Where its text is written to; None for a block that is run."""


def blocks(page: str) -> Iterator[Block]:
    """Blocks of a page that are to be run, in order."""
    for found in FENCE.finditer(page):
        if found["reason"] is None:
            text = re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE)
            title = re.search(r'title="([^"]+)"', found["rest"])
            file = title[1] if title is not None and found["language"] == "python" else None
            yield Block(found["language"], text, page.count("\n", 0, found.start("text")) + 1, file)


def run_block(block: Block, page: str, names: dict[str, Any], folder: Path) -> None:
    """Run one block in `folder`; `names` are the page's Python names.

    Raises:
        AssertionError: something else came out than what the page shows.
    """
    if block.file is not None:
        (folder / block.file).write_text(block.text, encoding="utf-8")
    elif block.language == "python":
        exec(compile("\n" * (block.line - 1) + block.text, page, "exec"), names)
    elif block.language == "pycon":
        run_session(block, page, names)
    else:
        for command, shown in commands(block.text):
            run_command(command, shown, folder, f"{page}:{block.line}")


def run_session(block: Block, page: str, names: dict[str, Any]) -> None:
    example = doctest.DocTestParser().get_doctest(block.text, names, page, page, block.line - 1)
    example.globs = names
    said: list[str] = []
    outcome = doctest.DocTestRunner(optionflags=LOOSE).run(example, out=said.append, clear_globs=False)
    assert outcome.failed == 0, "".join(said)


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Commands of a console block, each with the output shown below it; a final backslash continues one."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        found = re.match(r"(?P<command>(?:[^\n]*\\\n)*[^\n]*)\n?(?P<shown>.*)", part, re.DOTALL)
        assert found is not None
        yield found["command"], found["shown"]


def run_command(command: str, shown: str, folder: Path, place: str) -> None:
    paths = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    environment = {**os.environ, "PATH": paths, "COLUMNS": "120", "NO_COLOR": "1", "MPLBACKEND": "Agg"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if not shown.strip():
        assert done.returncode == 0, f"{place}: {command}\n{done.stdout}"
        return
    agrees = doctest.OutputChecker().check_output(shown.strip() + "\n", done.stdout.strip() + "\n", LOOSE)
    assert agrees, f"{place}: {command}\nshown:\n{shown}\ncame out:\n{done.stdout}"


RUN = [page for page in PAGES if page.exists() and any(blocks(page.read_text()))]


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.relative_to(CHECKOUT).as_posix())
def test_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    names: dict[str, Any] = {"__name__": "__page__"}
    for block in blocks(page.read_text()):
        run_block(block, str(page), names, tmp_path)


SAMPLE = """
```python
from pathlib import Path
x = 6
_ = Path("kept").write_text("here")
```
<!-- not run: it fails on purpose -->
```python
raise SystemExit
```
    ```pycon
    >>> x * 7
    42
    ```
```console
$ cat \\
    kept
here
$ echo a 1.25 b; exit 3
a ... b
```
```bash
false
```
```python title="said.py"
raise SystemExit("only written")
```
"""


def test_blocks_are_found_and_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = list(blocks(SAMPLE))
    assert [block.language for block in found] == ["python", "pycon", "console", "python"]
    names: dict[str, Any] = {}
    for block in found:
        run_block(block, "sample", names, tmp_path)
    assert (tmp_path / "said.py").read_text() == 'raise SystemExit("only written")\n'


@pytest.mark.parametrize(
    "wrong",
    ["```console\n$ echo 1\n2\n```", "```console\n$ false\n```", "```pycon\n>>> 1\n2\n```", "```python\nassert 0\n```"],
)
def test_what_is_shown_wrongly_fails(wrong: str, tmp_path: Path) -> None:
    (block,) = blocks(wrong)
    with pytest.raises(AssertionError):
        run_block(block, "sample", {}, tmp_path)


def listed_modules() -> set[str]:
    """Modules that the reference pages document."""
    pages = (CHECKOUT / "docs" / "reference").glob("*.md")
    return {name for page in pages for name in re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE)}


def test_every_public_module_of_the_core_is_in_the_reference() -> None:
    core = CHECKOUT / "core"
    names = {".".join(path.relative_to(core).with_suffix("").parts) for path in (core / "sparring").rglob("*.py")}
    public = {name.removesuffix(".__init__") for name in names if not re.search(r"\._[^_]", name)}
    # The command line is documented by what it does, `sparring` itself by the homes of its names; a package
    # that is listed stands for its modules.
    expected = {name for name in public - {"sparring"} if not name.startswith("sparring.cli")}
    listed = listed_modules()
    covering = tuple(f"{name}." for name in listed - {"sparring"})
    assert {name for name in expected if name not in listed and not name.startswith(covering)} == set()
