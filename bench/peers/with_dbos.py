"""The sequence on DBOS: a durable workflow a step, which plans the next one; a worker that starts takes up what lay."""

from __future__ import annotations

import threading

from dbos import DBOS, DBOSClient, EnqueueOptions, SetEnqueueOptions, SetWorkflowID

from bench.peers import application

QUEUE = "letters"
VERSION = "1"  # a worker takes up what its own version began
URL = application.DATABASE_URL.replace("postgresql://", "postgresql+psycopg://")


@DBOS.step()
def send(enrollment_id: int, step: int) -> bool:
    return application.send(enrollment_id, step)


@DBOS.workflow()
def send_step(enrollment_id: int, step: int) -> None:
    if send(enrollment_id, step):
        later = SetEnqueueOptions(delay_seconds=application.DAYS * 86_400)
        with SetWorkflowID(f"{enrollment_id}-{step + 1}"), later:
            DBOS.enqueue_workflow(QUEUE, send_step, enrollment_id, step + 1)


def prepare() -> None:
    application.prepare()
    _launch()
    DBOS.register_queue(QUEUE, worker_concurrency=application.CONNECTIONS, polling_interval_sec=0.1)
    DBOS.destroy()


def enroll(first: int, count: int) -> None:
    client = DBOSClient(system_database_url=URL)
    for id in application.add(first, count):
        options: EnqueueOptions = {
            "workflow_name": "send_step",
            "queue_name": QUEUE,
            "workflow_id": f"{id}-1",
            "app_version": VERSION,
        }
        client.enqueue(options, id, 1)


def work() -> None:
    _launch()
    threading.Event().wait()


def _launch() -> None:
    DBOS(
        config={
            "name": "peers",
            "system_database_url": URL,
            "application_version": VERSION,
            "log_level": "ERROR",
            "sys_db_pool_size": application.CONNECTIONS + 4,
        }
    )
    DBOS.launch()
