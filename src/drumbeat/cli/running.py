"""`drumbeat serve`, `worker` and `migrate`: what runs, and what has to be done before it can."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import IO

import structlog
import typer

from drumbeat.cli.terminal import current_settings, opened, say, start_logging
from drumbeat.cli.welcome import forget_first_run, greet, greet_again, refresh_first_run, write_first_run
from drumbeat.domain.errors import Misconfigured
from drumbeat.http.app import make_app
from drumbeat.http.server import free_port
from drumbeat.http.server import serve as serve_http
from drumbeat.mail.catcher import HOST, Catcher
from drumbeat.operations.accounts import hash_password, new_secret
from drumbeat.operations.first_run import FirstRun, Secrets, is_empty, make_sample
from drumbeat.operations.mailboxes import move_catchers
from drumbeat.settings import Settings
from drumbeat.store import migrate as migrations
from drumbeat.store import quarantine
from drumbeat.store.transaction import Tx
from drumbeat.wiring import World, make_folder
from drumbeat.worker import GRACE, Worker
from drumbeat.worker.stopping import stop_when_told

_AFTER_A_DEFECT = 5.0  # seconds until a worker that failed is started anew
_SPARE = 5.0  # seconds beyond its grace in which a worker hangs up

_log = structlog.get_logger()


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("serve")(serve)
    app.command("worker")(work)
    app.command("migrate")(migrate)


def serve() -> None:
    """Run everything in one process: API, web, worker, and the catcher that the sample sends to."""
    settings = _listening(current_settings())
    start_logging(settings.log_level)
    with ExitStack() as stack:
        stack.enter_context(alone_with_file(settings))
        world = stack.enter_context(opened(settings, create=True))
        catcher = stack.enter_context(Catcher(now=lambda: _now(world)))
        world = replace(world, settings=settings.mail_to(f"smtp://{HOST}:{catcher.port}"))
        made = _first_run(world, catcher.port)
        catches = world.database.transact(lambda tx: move_catchers(tx, HOST, catcher.port)) > 0
        runner = Runner(world)

        def on_start() -> None:
            _tell_quarantine(world)
            if settings.worker:
                runner.start()
            _greet(world, made, catches=catches)

        app = make_app(world, catcher)
        serve_http(app, settings.host, settings.port, on_start=on_start, on_stop=runner.stop)


def _listening(settings: Settings) -> Settings:
    """The settings with the port there will be; Misconfigured if it is taken."""
    return settings.at_port(free_port(settings.host, settings.port))


@contextmanager
def alone_with_file(settings: Settings) -> Iterator[None]:
    """Hold a SQLite file's folder: a second process would move the catcher away from under the first."""
    if not settings.database_url.startswith("sqlite"):
        yield
        return
    make_folder(settings)
    with _lock_file(settings) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Misconfigured(
                f"Another `drumbeat serve` runs on {settings.data}; stop it, or set DRUMBEAT_DATA."
            ) from None
        yield


def _lock_file(settings: Settings) -> IO[str]:
    try:
        return (settings.data / "serve.lock").open("a")
    except OSError as error:
        raise Misconfigured(
            f"DRUMBEAT_DATA: {settings.data} cannot be written to: {error.strerror}. Name a folder that can."
        ) from None


def _now(world: World) -> datetime:
    with world.database.read() as snapshot:
        return snapshot.now


def _first_run(world: World, catcher_port: int) -> FirstRun | None:
    """Make the sample in an empty installation; its file is written before the commit, so none is lost."""
    with world.database.read() as snapshot:
        if not world.settings.sample or not is_empty(snapshot):
            return None
    password = new_secret()
    secrets = Secrets(password, hash_password(password), new_secret(), new_secret())

    def work(tx: Tx) -> FirstRun | None:
        made = make_sample(tx, world.vault, world.hash_key, secrets=secrets, catcher=(HOST, catcher_port))
        if made is not None:
            write_first_run(world.settings, made)
        return made

    try:
        return world.database.transact(work)
    except BaseException:
        forget_first_run(world.settings)
        raise


def _tell_quarantine(world: World) -> None:
    with world.database.read() as snapshot:
        found = quarantine.find(snapshot)
    if found is not None:
        _log.warning("nothing is sent", cause=found.cause, since=found.since.isoformat(), fix="drumbeat reconcile")


def _greet(world: World, made: FirstRun | None, *, catches: bool) -> None:
    if made is not None:
        greet(world.settings, made)
        return
    refresh_first_run(world.settings)
    with world.database.read() as snapshot:
        greet_again(world.settings, is_empty=is_empty(snapshot), catches=catches)


def keep_working(world: World, stop: threading.Event) -> None:
    """Work until `stop` is set; a defect ends one worker, not the sending."""
    while not stop.is_set():
        try:
            Worker(world).run(stop)
        except Exception:
            _log.exception("the worker failed and starts anew")
            stop.wait(_AFTER_A_DEFECT)


class Runner:
    """The worker in a thread of its own."""

    def __init__(self, world: World) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=keep_working, args=(world, self._stop), name="worker", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Claim nothing new, and wait for what is under way, at most as long as a worker's grace."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(GRACE + _SPARE)


def work() -> None:
    """Run only the worker, beside any number of others; needs PostgreSQL."""
    settings = current_settings()
    if settings.database_url.startswith("sqlite"):
        raise Misconfigured(
            "On SQLite the worker runs inside `drumbeat serve`, which owns the file; for workers of their own"
            " set DRUMBEAT_DATABASE_URL to a PostgreSQL database."
        )
    start_logging(settings.log_level)
    stop = stop_when_told()
    with opened(settings) as world:
        say("The worker runs; it stops on SIGTERM.")
        _tell_quarantine(world)
        keep_working(world, stop)


def migrate() -> None:
    """Bring the database to this version's schema."""
    settings = current_settings()
    make_folder(settings)
    is_behind = migrations.pending(settings.database_url)
    migrations.upgrade(settings.database_url)
    now_at = migrations.current(settings.database_url)
    say(f"Migrated to {now_at}." if is_behind else f"The database is at {now_at}; nothing to do.")
