"""A TCP proxy that loses things: it can cut a connection behind a word that it has passed on, or every one at once."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

_AT_ONCE = 65536


class Proxy:
    """Between a client and a server (host and port, or a socket's path), on a port of its own on loopback."""

    def __init__(self, host: str, port: int) -> None:
        self._server = host, port
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._socket.getsockname()[1]
        self.cuts = 0
        self._word: bytes | None = None
        self._hit = 0
        self._lock = threading.Lock()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._is_open = True

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_open = False
        self._socket.close()
        self.cut_all()

    def cut_behind(self, word: bytes, hit: int = 1) -> None:
        """Pass on what the client says up to the `hit`-th piece with this word in it, and cut before the answer."""
        with self._lock:
            self._word, self._hit = word, hit

    def cut_all(self) -> None:
        """Cut every connection now."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            self._cut(pair)

    def _accept(self) -> None:
        while self._is_open:
            with suppress(OSError):
                client, _ = self._socket.accept()
                self._join(client)

    def _join(self, client: socket.socket) -> None:
        try:
            server = self._connect()
        except OSError:
            client.close()
            return
        pair = client, server
        with self._lock:
            self._pairs.add(pair)
        for source, target, is_asking in ((client, server, True), (server, client, False)):
            threading.Thread(target=self._pass_on, args=(pair, source, target, is_asking), daemon=True).start()

    def _connect(self) -> socket.socket:
        host, port = self._server
        if not host.startswith("/"):
            return socket.create_connection((host, port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(Path(host) / f".s.PGSQL.{port}"))
        return server

    def _pass_on(
        self, pair: tuple[socket.socket, socket.socket], source: socket.socket, target: socket.socket, is_asking: bool
    ) -> None:
        with suppress(OSError):
            while chunk := source.recv(_AT_ONCE):
                is_last = is_asking and self._is_hit(chunk)
                if is_last:
                    pair[0].shutdown(socket.SHUT_WR)  # the answer reaches nobody
                target.sendall(chunk)
                if is_last:
                    target.shutdown(socket.SHUT_WR)
                    while target.recv(_AT_ONCE):  # the server has done it once it hangs up
                        pass
                    break
        self._cut(pair)

    def _is_hit(self, chunk: bytes) -> bool:
        with self._lock:
            if self._word is None or self._word not in chunk:
                return False
            self._hit -= 1
            if self._hit:
                return False
            self._word, self.cuts = None, self.cuts + 1
            return True

    def _cut(self, pair: tuple[socket.socket, socket.socket]) -> None:
        with self._lock:
            self._pairs.discard(pair)
        for each in pair:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
