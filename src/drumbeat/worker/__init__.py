"""The worker: what is due is sent, and what is due to be looked after is."""

from drumbeat.worker.carrier import GRACE, Carrier
from drumbeat.worker.ears import Ears
from drumbeat.worker.loop import Worker
from drumbeat.worker.tending import Tending

__all__ = ["GRACE", "Carrier", "Ears", "Tending", "Worker"]
