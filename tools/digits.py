"""Write the files of the digits example from the copy of the data set that comes with scikit-learn.

    .venv-training/bin/python -m tools.digits

They are in the repository; this says how they came about, and makes the same bytes again.
"""

from __future__ import annotations

import csv
import random
import struct
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PER_DIGIT = 24
SEED = 1998
SIDE, DARKEST = 8, 16
ENLARGED = 20
PIXELS = [f"p{row}{column}" for row in range(SIDE) for column in range(SIDE)]


def chosen(digits: Sequence[int]) -> list[int]:
    """Rows of the data set: the same number of each digit, in an order that gives nothing away."""
    chance = random.Random(SEED)
    rows = []
    for digit in range(10):
        of_it = [row for row, each in enumerate(digits) if each == digit]
        rows += chance.sample(of_it, PER_DIGIT)
    chance.shuffle(rows)
    return rows


def png(pixels: Sequence[int]) -> bytes:
    """Draw 8 x 8 numbers from 0 (paper) to 16 (ink) as a grey PNG image, each pixel a square."""
    lines = []
    for row in range(SIDE):
        shades = (255 - pixels[row * SIDE + column] * 255 // DARKEST for column in range(SIDE))
        line = b"\x00" + b"".join(bytes([shade]) * ENLARGED for shade in shades)
        lines.append(line * ENLARGED)
    width = SIDE * ENLARGED
    header = struct.pack(">IIBBBBB", width, width, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(b"".join(lines), 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def write(images: Sequence[Sequence[int]], digits: Sequence[int], include: Path) -> None:
    """Write data, images and answer key below a folder like ``include``."""
    folder = include / "data" / "digits_images"
    folder.mkdir(parents=True, exist_ok=True)
    items, answers = [], []
    for number, row in enumerate(chosen(digits), start=1):
        item = f"digit-{number:03d}"
        (folder / f"{item}.png").write_bytes(png(images[row]))
        items.append([item, *images[row], f"{item}.png"])
        answers.append([item, digits[row], row])
    _write_csv(include / "data" / "digits.csv", ["id", *PIXELS, "image"], items)
    _write_csv(include / "crowds" / "digits_answers.csv", ["item", "label", "row"], answers)


def _write_csv(path: Path, header: list[str], rows: Iterable[list[Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def main() -> None:
    """Read scikit-learn's copy and write."""
    from sklearn.datasets import load_digits

    data = load_digits()
    write(data.data.astype(int).tolist(), data.target.tolist(), ROOT / "include")


if __name__ == "__main__":
    main()
