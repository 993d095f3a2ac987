"""Serving the application in this process, beside the worker: granian's embedded server in its own loop."""

from __future__ import annotations

import asyncio
import errno
import resource
import signal
import socket
from collections.abc import Callable
from contextlib import closing

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from litestar import Litestar

from drumbeat.domain.errors import PortUnavailable

__all__ = ["PortUnavailable", "Served", "free_port", "serve"]

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_HEADERS_WITHIN_MS = 15_000  # a client that sends its headers slower than this is dropped
_MOST_CONNECTIONS = 4_096
_WAITING_CONNECTIONS = 1_024


def serve(
    app: Litestar,
    host: str,
    port: int,
    *,
    on_start: Callable[[], None] | None = None,
    on_stop: Callable[[], None] | None = None,
) -> None:
    """Serve in the main thread until SIGTERM or SIGINT; requests at work finish before it returns.

    `on_start` is called once the address is ours, `on_stop` when the last request is done: start and stop
    the worker there. Raises PortUnavailable.
    """
    free_port(host, port)
    uvloop.run(_serve(Served(app, host, port), on_start, on_stop))


def free_port(host: str, port: int) -> int:
    """The port, or a free one for 0; PortUnavailable if it cannot be listened on: granian shares a taken port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            raise PortUnavailable(f"{host}:{port}: {error.strerror or error}. {_fix(error)}") from None
        return int(tried.getsockname()[1])


def _fix(error: OSError) -> str:
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return "DRUMBEAT_HOST is an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all of them."
    if error.errno == errno.EACCES:
        return "Set DRUMBEAT_PORT to 1024 or above."
    return "Stop what listens there, or set DRUMBEAT_PORT (0 takes a free one) or DRUMBEAT_HOST."


class Served:
    """One server, to be run in an event loop and stopped from any thread."""

    def __init__(self, app: Litestar, host: str, port: int) -> None:
        self._app, self._host, self._port = app, host, port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Server | None = None

    async def run(self) -> None:
        """Serve until stopped; returns when the last request is done."""
        self._loop = asyncio.get_running_loop()
        self._server = Server(
            self._app,
            address=self._host,
            port=self._port,
            interface=Interfaces.ASGI,
            http=HTTPModes.http1,
            backlog=_WAITING_CONNECTIONS,
            backpressure=_connections(),
            http1_settings=HTTP1Settings(header_read_timeout=_HEADERS_WITHIN_MS),
            websockets=False,
            log_enabled=False,
        )
        await self._server.serve()

    def stop(self) -> None:
        """Ask it to take no new requests and to finish those at work."""
        if self._loop is not None and self._server is not None:
            self._loop.call_soon_threadsafe(self._server.stop)


def _connections() -> int:
    """How many connections are served at once: idle ones too, but never so many that no file can be opened."""
    files, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < 2 * _MOST_CONNECTIONS:
        files = (
            2 * _MOST_CONNECTIONS if most_files == resource.RLIM_INFINITY else min(2 * _MOST_CONNECTIONS, most_files)
        )
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, most_files))
    return min(_MOST_CONNECTIONS, files // 2)


async def _serve(
    served: Served,
    on_start: Callable[[], None] | None,
    on_stop: Callable[[], None] | None,
) -> None:
    loop = asyncio.get_running_loop()
    for name in _STOP_SIGNALS:
        loop.add_signal_handler(name, served.stop)
    try:
        if on_start is not None:
            on_start()
        await served.run()
    finally:
        if on_stop is not None:
            await asyncio.to_thread(on_stop)
