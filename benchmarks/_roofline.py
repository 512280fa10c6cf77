"""The limit that the machine sets: a plain C compressed-row product and the speed of reading memory."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array

SOURCE = """
#include <stdint.h>
void product(uint32_t rows, const uint32_t *start, const uint32_t *column, const double *value,
             const double *x, double *y, uint64_t repeats) {
    for (uint64_t r = 0; r < repeats; r++) {
        for (uint32_t i = 0; i < rows; i++) {
            double total = 0;
            for (uint32_t k = start[i]; k < start[i + 1]; k++) total += value[k] * x[column[k]];
            y[i] = total;
        }
        __asm__ volatile("" : : "r"(y) : "memory");
    }
}
double scan(const double *values, uint64_t size, uint64_t repeats) {
    double total = 0;
    for (uint64_t r = 0; r < repeats; r++) {
        double lane[32] = {0};
        for (uint64_t i = 0; i + 32 <= size; i += 32)
            for (int j = 0; j < 32; j++) lane[j] += values[i + j];
        for (int j = 0; j < 32; j++) total += lane[j];
        __asm__ volatile("" : : : "memory");
    }
    return total;
}
"""
REPEATS = 7


class Roofline:
    """The C functions, compiled now; `reason` says why there are none."""

    def __init__(self) -> None:
        self.library: Any = None
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            self.reason = "no C compiler on the path"
            return
        with tempfile.TemporaryDirectory() as folder:
            source, built = Path(folder) / "product.c", Path(folder) / "product.so"
            source.write_text(SOURCE)
            command = [compiler, "-O3", "-march=native", "-shared", "-fPIC", str(source), "-o", str(built)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                self.reason = f"{compiler}: {done.stderr.strip().splitlines()[0]}"
                return
            self.library = ctypes.CDLL(str(built))
            self.library.scan.restype = ctypes.c_double
        self.reason = ""

    def product(self, matrix: csr_array, least_seconds: float = 0.02) -> float:
        """Seconds of one compressed-row product with 32-bit indices."""
        start, column = matrix.indptr.astype(np.uint32), matrix.indices.astype(np.uint32)
        x, y = np.random.default_rng(0).random(matrix.shape[1]), np.zeros(matrix.shape[0])
        addresses = [ctypes.c_void_p(array.ctypes.data) for array in (start, column, matrix.data, x, y)]

        def call(repeats: int) -> None:
            self.library.product(ctypes.c_uint32(matrix.shape[0]), *addresses, ctypes.c_uint64(repeats))

        seconds = _each(call, least_seconds)
        if not np.allclose(y, matrix @ x, atol=1e-12):
            raise AssertionError("the C product is wrong")
        return seconds

    def bandwidth(self, size: int, least_seconds: float = 0.02) -> float:
        """Bytes a second when reading `size` bytes again and again."""
        values = np.ones(max(32, size // 8))
        address, length = ctypes.c_void_p(values.ctypes.data), ctypes.c_uint64(len(values))
        return values.nbytes / _each(
            lambda repeats: self.library.scan(address, length, ctypes.c_uint64(repeats)), least_seconds
        )


def _each(call: Any, least_seconds: float) -> float:
    """Least processor seconds of one repeat, timed in batches of at least `least_seconds`."""
    repeats = 1
    while True:
        begin = time.process_time()
        call(repeats)
        if time.process_time() - begin >= least_seconds:
            break
        repeats *= 4
    times = []
    for _ in range(REPEATS):
        begin = time.process_time()
        call(repeats)
        times.append((time.process_time() - begin) / repeats)
    return min(times)
