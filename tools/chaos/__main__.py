"""``python -m tools.chaos fast|real|all …``: see ``--help`` after a layer.

``all`` is what ``make chaos`` does: both layers as the published table has them. It takes hours.
"""

from __future__ import annotations

import sys

#: The runs of the real layer that the table has.
REAL = (
    ["--batch", "iris", "--faults", "15", "--seed", "5"],
    ["--batch", "large", "--faults", "15", "--seed", "4"],
)


def fast(arguments: list[str]) -> int:
    """Play seeded schedules in process."""
    from tools.chaos.fast import main

    return main(arguments)


def real(arguments: list[str]) -> int:
    """Run a batch on a running Airflow whose parts are killed."""
    from tools.chaos.real.__main__ import main

    return int(main(arguments) or 0)


def everything(arguments: list[str]) -> int:
    """Run both layers; the options are those of the fast one. Returns the worst exit status."""
    return max(fast(arguments), *(real(options) for options in REAL))


LAYERS = {"fast": fast, "real": real, "all": everything}


def main(arguments: list[str]) -> int:
    """Run a layer; return its exit status."""
    if not arguments or arguments[0] not in LAYERS:
        print(
            f"use: python -m tools.chaos {{{','.join(LAYERS)}}} [options]; --help after it", file=sys.stderr
        )
        return 2
    return LAYERS[arguments[0]](arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
