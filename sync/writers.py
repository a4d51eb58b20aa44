"""Who writes children: a base of our own, or a server that ops named. Both keep what they said."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lora.expansions import Expansions, Kept
from lora.paid import Paid
from settings import Augment, Settings

if TYPE_CHECKING:
    from lora.causal.remote.write import RemoteWriter


def writer_of(
    settings: Settings, place: Expansions, snapshot: str, go_on: Callable[[], bool]
) -> Kept | Paid:
    """Raises BaseUnavailable where a base of our own is not here."""
    own = settings.augment
    if own.generator_url:
        return Paid(place.written, _hired(own), snapshot, own.generator_tokens, go_on)
    from lora.base import load_base  # here: whoever asks a server loads no such base
    from lora.causal.write import Writer

    train = settings.train
    writer = Writer(load_base(own.generator, threads=train.threads, device=train.device))
    return Kept(place.written, writer.name, writer, writer.batch, go_on)


def follows_messages(own: Augment) -> bool:
    """Whether who writes is told what to do, instead of being given a text to go on from."""
    return bool(own.generator_url) and own.generator_api == "chat"


def _hired(own: Augment) -> RemoteWriter:
    from lora.causal.remote.client import Client, Server
    from lora.causal.remote.write import PATIENCE, RemoteWriter

    server = Server(own.generator_url, own.generator_key)
    return RemoteWriter(
        Client(server, patience=PATIENCE),
        own.generator,
        chat=own.generator_api == "chat",
        timeout_s=own.generator_timeout_s,
        parallel=own.generator_parallel,
    )
