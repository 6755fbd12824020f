from __future__ import annotations

from benchmarks.consolidation.speed import OURS, PEER, TEN, Speed, speed_part


def _speed(method: str, seconds: float, added: float) -> Speed:
    return Speed(method, 10_000, seconds, seconds, 3, 100.0, added, 0.9, 7)


def test_the_ratios_stand_under_their_headings() -> None:
    found = [_speed(OURS, 0.01, 10), _speed(PEER, 1.0, 150), _speed(OURS + TEN, 0.02, 10)]
    found += [_speed(PEER + TEN, 0.8, 150), Speed("default", 10_000, error="took too long")]
    lines = "\n".join(speed_part(found).sections).splitlines()
    heading = next(line for line in lines if "times as fast" in line)
    row = next(line for line in lines[lines.index(heading) + 1 :] if "10,000" in line)
    cells = dict(
        zip(
            (cell.strip() for cell in heading.strip("|").split("|")),
            (cell.strip() for cell in row.strip("|").split("|")),
            strict=True,
        )
    )
    assert (cells["times as fast"], cells["in 10 rounds"]) == ("100", "40")
    assert (cells["ours, + MiB"], cells["crowd-kit, + MiB"]) == ("10", "150")
