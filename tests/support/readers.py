"""Threads that read from the Data API without a pause and keep each answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from support.environment import Environment, Person


@dataclass(frozen=True)
class Answer:
    began: float
    seconds: float
    schema_name: str
    status: int
    text: str


@contextmanager
def reading(
    environment: Environment, reads: Sequence[tuple[Person, str, str]]
) -> Iterator[list[Answer]]:
    """One thread for each (person, schema, table). The list grows until the block ends."""
    answers: list[Answer] = []
    over = threading.Event()

    def read(who: Person, schema_name: str, table: str) -> None:
        headers = environment.headers(who) | {"Accept-Profile": schema_name}
        with httpx.Client(timeout=30, headers=headers) as client:
            while not over.is_set():
                began = time.monotonic()
                reply = client.get(f"{environment.address.postgrest_url}/{table}")
                seconds = time.monotonic() - began
                answers.append(
                    Answer(began, seconds, schema_name, reply.status_code, reply.text)
                )

    with ThreadPoolExecutor(len(reads)) as threads:
        readers = [threads.submit(read, *each) for each in reads]
        try:
            yield answers
        finally:
            over.set()
        for reader in readers:
            reader.result()
