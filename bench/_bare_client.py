"""Dispatch's limit: a bare client that waits for 354, pipelines, keeps K connections, and does nothing else."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence


def send_all(port: int, letters: Sequence[tuple[str, str, bytes]], connections: int) -> tuple[float, float]:
    """Send (sender, recipient, content) to the sink; returns wall and CPU seconds."""
    lines = [_open(port) for _ in range(connections)]
    prepared = [
        (f"MAIL FROM:<{s}>\r\nRCPT TO:<{r}>\r\nDATA\r\n".encode(), content + b".\r\n") for s, r, content in letters
    ]
    wall, cpu = time.perf_counter(), time.process_time()
    for start in range(0, len(prepared), connections):
        batch = list(zip(lines, prepared[start : start + connections], strict=False))
        for line, (envelope, _) in batch:
            line[0].sendall(envelope)
        for line, (_, body) in batch:
            for _ in range(3):
                line[1].readline()
            line[0].sendall(body)
        for line, _ in batch:
            line[1].readline()
    result = time.perf_counter() - wall, time.process_time() - cpu
    for sock, _ in lines:
        sock.close()
    return result


def _open(port: int) -> tuple[socket.socket, object]:
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    reader = sock.makefile("rb")
    reader.readline()
    sock.sendall(b"EHLO bench\r\n")
    while reader.readline()[3:4] == b"-":
        pass
    return sock, reader
