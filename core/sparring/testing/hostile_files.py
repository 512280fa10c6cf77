"""Files that no policy loader should take for a policy: spoilt ones, and ones that would run code."""

from __future__ import annotations

import base64
import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np

__all__ = ["hostile_files", "spoilt_files"]

SUFFIXES = (".json", ".npz", ".npy", ".csv", ".pkl", ".pt", ".pth", ".zip", ".safetensors")


def spoilt_files(folder: Path) -> list[Path]:
    """A missing file, an empty one, noise, JSON and arrays of the wrong shape, under the suffixes of policy files."""
    noise = np.random.default_rng(36).bytes(64)
    contents: dict[str, bytes] = {}
    for suffix in SUFFIXES:
        contents |= {f"empty{suffix}": b"", f"noise{suffix}": noise}
    documents: dict[str, object] = {
        "a-list": [1, [2, 3]],
        "a-word": "policy",
        "no-numbers": {"kind": "matrix", "player": 0, "probabilities": "many"},
        "no-distribution": {"kind": "matrix", "player": 0, "probabilities": [-3.0, 2.0, 2.0]},
        "no-mixture": {"kind": "mixture", "weights": 3, "policies": None},
    }
    contents |= {f"{name}.json": json.dumps(document).encode() for name, document in documents.items()}
    contents |= {"not-a-number.npz": _npz(np.full((1, 1), np.nan)), "cube.npz": _npz(np.ones((2, 2, 2)))}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "empty-folder").mkdir()
    return [folder / "missing.json", folder / "missing", folder / "empty-folder", *(folder / name for name in contents)]


def _npz(array: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, probabilities=array)
    return stream.getvalue()


class _Trap:
    """Pickles to a call that makes a file."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self._mark,)


def hostile_files(folder: Path, mark: Path) -> list[Path]:
    """Files in which a pickle, or Python code, would make `mark` if it were run.

    As a bare pickle, inside numpy's object arrays, inside the archives of torch and stable-baselines3, as a saved
    field in JSON, and as a script.
    """
    trap = pickle.dumps(_Trap(mark), protocol=2)
    text = base64.b64encode(trap).decode()
    fields = {"policy_class": {":type:": "<class 'abc.ABCMeta'>", ":serialized:": text}, ":serialized:": text}
    objects = np.asarray([_Trap(mark)], dtype=object)
    script = f"from pathlib import Path\nPath({str(mark)!r}).touch()\n".encode()
    contents = {f"bare{suffix}": trap for suffix in SUFFIXES}
    contents |= {"fields.json": json.dumps(fields).encode(), "script.py": script}
    for suffix in (".npz", ".npy"):
        stream = io.BytesIO()
        if suffix == ".npz":
            np.savez(stream, allow_pickle=True, probabilities=objects)
        else:
            np.save(stream, objects, allow_pickle=True)
        contents[f"objects{suffix}"] = stream.getvalue()
    for suffix in (".pt", ".pth", ".zip"):
        contents[f"torch{suffix}"] = _archive({"archive/data.pkl": trap, "archive/version": b"3\n"})
        contents[f"fields{suffix}"] = _archive({"data": json.dumps(fields).encode(), "policy.pth": trap})
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    run = folder / "run"
    run.mkdir()
    for name in ("policy.json", "policy.npz", "policy.pkl", "solution.json"):
        (run / name).write_bytes(trap)
    return [*(folder / name for name in contents), run]


def _archive(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()
