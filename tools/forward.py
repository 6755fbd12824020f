"""``python -m tools.forward LISTEN_HOST:PORT TO_HOST:PORT``: pass TCP connections on.

For the local cloud in a container, which listens on loopback only. Anyone who can reach the listening
address can use what is behind it, so listen on a private network.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence

CHUNK = 64 * 1024


async def serve(listen: tuple[str, int], target: tuple[str, int]) -> asyncio.Server:
    """Start listening; each connection is passed on to the target until either side is done."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to_reader, to_writer = await asyncio.open_connection(*target)
        except OSError as error:
            print(f"forward: {target[0]}:{target[1]}: {error}", file=sys.stderr, flush=True)
            writer.close()
            return
        await asyncio.gather(_copy(reader, to_writer), _copy(to_reader, writer))

    return await asyncio.start_server(handle, *listen)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until the end, then say so to the other side, which may still be sending."""
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
            return
    writer.close()


def parse_address(text: str) -> tuple[str, int]:
    """Read HOST:PORT; raises ValueError otherwise."""
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isdecimal()):
        raise ValueError(f"{text!r} is not HOST:PORT")
    return host, int(port)


async def _main(listen: tuple[str, int], target: tuple[str, int]) -> None:
    async with await serve(listen, target) as server:
        await server.serve_forever()


def main(argv: Sequence[str]) -> int:
    """Forward until stopped; returns the exit status."""
    try:
        listen, target = map(parse_address, argv)
    except ValueError as error:
        print(f"usage: python -m tools.forward LISTEN_HOST:PORT TO_HOST:PORT ({error})", file=sys.stderr)
        return 2
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(listen, target))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
