"""Messages as servers, providers and mail programs write them, each with what it is: our own words, invented people."""

from __future__ import annotations

from itertools import chain

from tests.corpus import absences, bounces, others, replies
from tests.corpus.message import Sample

SAMPLES: tuple[Sample, ...] = tuple(chain(bounces.SAMPLES, absences.SAMPLES, replies.SAMPLES, others.SAMPLES))
