"""``python -m tools.chaos fast …``: see ``--help``."""

from __future__ import annotations

import sys

LAYERS = ("fast", "real")


def main(arguments: list[str]) -> int:
    """Run a layer; return its exit status."""
    if not arguments or arguments[0] not in LAYERS:
        print(
            f"use: python -m tools.chaos {{{','.join(LAYERS)}}} [options]; --help after it", file=sys.stderr
        )
        return 2
    if arguments[0] == "real":
        from tools.chaos.real.__main__ import main as real

        return int(real(arguments[1:]) or 0)
    from tools.chaos.fast import main as fast

    return fast(arguments[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
