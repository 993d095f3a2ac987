"""One thing done by one engine: python -m bench.peers._run ENGINE prepare | enroll FIRST COUNT | work."""

from __future__ import annotations

import sys
from importlib import import_module


def main() -> None:
    engine, told, *numbers = sys.argv[1:]
    getattr(import_module(f"bench.peers.with_{engine}"), told)(*map(int, numbers))


if __name__ == "__main__":
    main()
