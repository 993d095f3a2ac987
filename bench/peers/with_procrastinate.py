"""The sequence on Procrastinate: a job a step, planned ahead, and a task that takes up what dead workers held."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from procrastinate import App, PsycopgConnector

from bench.peers import application

app = App(connector=PsycopgConnector(conninfo=application.DATABASE_URL, min_size=2, max_size=application.CONNECTIONS))


@app.task(name="send_step", queue="letters")
async def send_step(enrollment_id: int, step: int) -> None:
    if await asyncio.to_thread(application.send, enrollment_id, step):
        later = send_step.configure(schedule_in={"days": application.DAYS})
        await later.defer_async(enrollment_id=enrollment_id, step=step + 1)


@app.periodic(cron="* * * * * */10")
@app.task(name="rescue", queueing_lock="rescue", pass_context=False)
async def rescue(timestamp: int) -> None:
    for job in await app.job_manager.get_stalled_jobs(queue="letters", seconds_since_heartbeat=30):
        await app.job_manager.retry_job(job)


def prepare() -> None:
    application.prepare()
    asyncio.run(_opened(app.schema_manager.apply_schema_async))


def enroll(first: int, count: int) -> None:
    ids = application.add(first, count)

    async def defer() -> None:
        for start in range(0, count, 500):
            await send_step.batch_defer_async(*({"enrollment_id": id, "step": 1} for id in ids[start : start + 500]))

    asyncio.run(_opened(defer))


def work() -> None:
    asyncio.run(_opened(lambda: app.run_worker_async(concurrency=application.CONNECTIONS, delete_jobs="successful")))


async def _opened(do: Callable[[], Awaitable[None]]) -> None:
    async with app.open_async():
        await do()
