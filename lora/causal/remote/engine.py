"""A causal base whose weights are on an inference server: its engine, in the place of our own.

Here are the base's tokenizer and config, so prompts and readers are the same; the adapter's files
are checked here too, before the server is told to load them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from label_config.controls import Schema
from lora.adapter import verify
from lora.base import Base
from lora.causal.answer import Limits
from lora.causal.files import read_calibration
from lora.causal.kinds import kind_of
from lora.causal.prompt import Chat
from lora.causal.ready import calibrations
from lora.causal.remote.adapters import Adapters
from lora.causal.remote.answer import RemoteAnswerer
from lora.causal.remote.client import Client, Server
from lora.causal.remote.lane import RemoteLane
from lora.causal.remote.probe import probe
from lora.engine import Engine, LaneSettings
from lora.errors import BaseUnavailable, EngineDown, Refused
from lora.loaded import Loaded, Opened, Pool, check_base, served_name
from lora.weights import Mode, Weights

REMEDY = (
    "take a server that returns log-probabilities of a prompt's tokens: vLLM, or "
    "llama-cpp-python's, started with --logits_all true"
)
HELLO = ("Annotate the text.", "text: a short text, to see how a prompt is read")

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class RemoteEngine(Engine):
    """A base on a server."""

    answerer: RemoteAnswerer
    adapters: Adapters

    def open(self, folder: Path) -> Opened:
        manifest = verify(folder)
        check_base(self.base, folder, manifest)
        found = read_calibration(folder)
        weights = self.adapters.open(manifest.version, folder, _like(self.base))
        return Opened(manifest.version, manifest.schema, weights, {}, found)

    def ready(self, opened: Opened | None, schema: Schema, pool: Pool, cold: str) -> Loaded:
        """Raises BaseUnavailable where the server has no plain base, or does not answer."""
        served = self._answered(schema.served_by("causal"))
        if opened is not None:
            name = served_name(opened.version, opened.trained_on, schema)
            return Loaded(name, served, opened.tensors, {}, opened.calibration)
        try:
            made = Loaded(cold, served, self.adapters.plain(_like(self.base)), {})
            seen = calibrations(self.answerer.likelihoods, made, pool, slow=True)
        except (EngineDown, Refused, TimeoutError) as error:
            why = str(error) or "it took too long"
            raise BaseUnavailable(
                f"the cold start waits for the inference server: {why}"
            ) from error
        return replace(made, calibration=seen)

    def report(self) -> dict[str, Any]:
        able, server = self.answerer.abilities, self.answerer.client.server
        return {
            "revision": self.base.revision,
            "serve": server.kind,
            "engine": server.url,
            "error": self.trouble(),
            "likelihoods": able.no_likelihoods or True,
            "grammar": able.grammar or False,
            "refused": self.answerer.refused,
            "queue": self.lane.waiting,
        }

    def trouble(self) -> str | None:
        return self.answerer.client.trouble

    def _answered(self, schema: Schema) -> Schema:
        """Without the controls that need likelihoods, where the server has none."""
        why = self.answerer.abilities.no_likelihoods
        names = {c.name for c in schema.controls if kind_of(c).way == "score"} if why else set()
        reason = f"it is answered by likelihoods, and of the inference server: {why}"
        return schema.without(names, reason, REMEDY)


def start_remote(base: Base, settings: LaneSettings, server: Server) -> RemoteEngine:
    """Find out what the server can do and start the lane; raises BaseUnavailable."""
    client = Client(server)
    adapters = Adapters(client)
    prompt = Chat(base.tokenizer).prefix(*HELLO)
    try:
        model = _any_model(client)
        able = probe(client, model, base.tokenizer, prompt)
    except (EngineDown, Refused, TimeoutError) as error:
        why = str(error) or f"{server.url} took too long"
        raise BaseUnavailable(
            f"base {base.name!r} waits for its inference server: {why}"
        ) from error
    log.info(
        "base %s is served by %s (%s); grammars: %s",
        *(base.name, server.url, server.kind, able.grammar or "none"),
    )
    if able.no_likelihoods:
        log.warning(
            "%s: controls that are answered by likelihoods are left to people: %s",
            *(server.url, able.no_likelihoods),
        )
    limits = Limits(settings.answer_tokens, settings.answer_s)
    answerer = RemoteAnswerer(base, client, adapters, able, limits)
    how: dict[str, Any] = {"queue": settings.queue, "name": f"-{base.name}"[:40]}
    lane = RemoteLane(adapters, **how)
    lane.start(answerer)
    return RemoteEngine(base, lane, answerer, adapters)


def _any_model(client: Client) -> str:
    """A model to find out with, of whatever it serves."""
    listed = client.models()
    return client.server.model or next(iter(listed), "")


def _like(base: Base) -> Weights:
    return Weights(base.revision, Mode())
