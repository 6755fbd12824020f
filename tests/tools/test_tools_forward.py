from __future__ import annotations

import asyncio

import pytest

from tools import forward

HOST = "127.0.0.1"


async def echo_upper(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers only after the whole request: proves that the end of the request is passed on."""
    writer.write((await reader.read()).upper())
    await writer.drain()
    writer.close()


def port_of(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


@pytest.mark.asyncio
async def test_bytes_and_ends_are_passed_both_ways() -> None:
    async with (
        await asyncio.start_server(echo_upper, HOST, 0) as target,
        await forward.serve((HOST, 0), (HOST, port_of(target))) as server,
    ):
        reader, writer = await asyncio.open_connection(HOST, port_of(server))
        request = b"abc" * 100_000
        writer.write(request)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 10) == request.upper()
        writer.close()


@pytest.mark.asyncio
async def test_a_dead_target_closes_the_connection(unused_tcp_port: int) -> None:
    async with await forward.serve((HOST, 0), (HOST, unused_tcp_port)) as server:
        reader, writer = await asyncio.open_connection(HOST, port_of(server))
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()


def test_addresses() -> None:
    assert forward.parse_address("0.0.0.0:4567") == ("0.0.0.0", 4567)
    for wrong in ("4567", ":4567", "host:", "host:x"):
        with pytest.raises(ValueError, match="is not HOST:PORT"):
            forward.parse_address(wrong)
    assert forward.main(["a:1"]) == 2
