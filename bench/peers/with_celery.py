"""The sequence on Celery and Redis: a task a step, acknowledged when it is done, with an ETA for the next one."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from celery import Celery

from bench.peers import application

app = Celery("peers", broker=os.environ["PEER_REDIS_URL"])
app.conf.update(
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=16,
    # What a dead worker held comes back after so long, and with it every task whose ETA is further away.
    broker_transport_options={
        "visibility_timeout": int(os.environ["PEER_PATIENCE"]),
        "unacked_restore_throttle": 1,
        "unacked_restore_limit": 10_000,
    },
)


@app.task
def send_step(enrollment_id: int, step: int) -> None:
    if application.send(enrollment_id, step):
        later = datetime.now(UTC) + timedelta(days=application.DAYS)
        send_step.apply_async((enrollment_id, step + 1), eta=later)


def prepare() -> None:
    application.prepare()


def enroll(first: int, count: int) -> None:
    with app.producer_pool.acquire(block=True) as producer:
        for id in application.add(first, count):
            send_step.apply_async((id, 1), producer=producer)


def work() -> None:
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel=ERROR"]
    app.worker_main(["--quiet", "worker", "--pool=threads", f"--concurrency={application.CONNECTIONS}", *quiet])
