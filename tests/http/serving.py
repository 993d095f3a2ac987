"""A process of its own that serves the application on a port, for tests that need signals and sockets."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from drumbeat.http.app import make_app
from drumbeat.http.server import serve
from drumbeat.testing.cast import enter_cast, make_world


def main(folder: str, database_url: str, port: str) -> None:
    """Serve until a signal comes, with a worker thread beside; tell what happens, a line each."""
    world = make_world(Path(folder), database_url)
    cast = world.database.transact(enter_cast)
    stopping, stopping_soon = threading.Event(), threading.Event()
    worker = threading.Thread(target=stopping.wait)

    def start() -> None:
        worker.start()
        print(f"started {cast.us.token}", flush=True)

    def stop() -> None:
        stopping.set()
        worker.join()
        print("worker stopped", flush=True)

    app = make_app(world)
    slow = app.state["parts"].pages.page

    def slowly(template: str, status: int = 200, **values: object) -> object:
        print("at work", flush=True)
        stopping_soon.wait(1)
        answer = slow(template, status, **values)
        print("answered", flush=True)
        return answer

    app.state["parts"].pages.page = slowly
    serve(app, "127.0.0.1", int(port), on_start=start, on_stop=stop)
    world.close()
    print("ended", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
