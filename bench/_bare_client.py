"""Dispatch's limits: a client that waits for 354, pipelines, keeps K connections, and knows no database."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

Write = Callable[[int], tuple[str, str, bytes]]


def send_all(port: int, write: Write, letters: int, connections: int) -> float:
    """Send so many letters, each as (sender, recipient, content) when it is its turn; returns the seconds it took."""
    lines = [_open(port) for _ in range(connections)]
    began = time.perf_counter()
    for start in range(0, letters, connections):
        written = [_prepared(*write(number)) for number in range(start, min(start + connections, letters))]
        batch = list(zip(lines, written, strict=False))
        for line, (envelope, _) in batch:
            line[0].sendall(envelope)
        for line, (_, body) in batch:
            for _ in range(3):
                line[1].readline()
            line[0].sendall(body)
        for line, _ in batch:
            line[1].readline()
    took = time.perf_counter() - began
    for sock, _ in lines:
        sock.close()
    return took


def _prepared(sender: str, recipient: str, content: bytes) -> tuple[bytes, bytes]:
    return f"MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode(), content + b".\r\n"


def _open(port: int) -> tuple[socket.socket, object]:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    reader = sock.makefile("rb")
    reader.readline()
    sock.sendall(b"EHLO bench\r\n")
    while reader.readline()[3:4] == b"-":
        pass
    return sock, reader
