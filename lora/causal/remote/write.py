"""An OpenAI-compatible server as a generator: vLLM, Ollama, llama.cpp, `transformers serve`, ...

It is sent prompts and nothing else of a project. Its key goes into one header: no message, name or
row holds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lora.causal.remote.client import Client, Patience
from lora.causal.remote.read import Completed
from lora.causal.write import TEMPERATURE, TOP_P, Asked, until
from lora.errors import EngineDown, Refused
from lora.written import Answer

PATIENCE = Patience(attempts=5, pause_s=1.0, wait_s=60.0, refusals=frozenset({0, 500}))
OWN = frozenset({0, 400, 413, 422, 500})
"""Refusals that are about one prompt; after others (401, 404, ...) nobody need ask again."""
BYTES = 2  # of UTF-8 in a token, at least, taken over a prompt: words have four, figures one
AROUND = 64  # tokens of a chat's template, a system message of its own included
MOST = 20_000  # code points of an answer
TELLING = 8  # code points of a prompt that a server's message may not repeat in ours


@dataclass(frozen=True)
class RemoteWriter:
    """Samples as a local Writer does. `model`: the server's name of it; `chat`: it is sent messages
    and not texts to go on from; `parallel`: requests under way at once."""

    client: Client
    model: str
    chat: bool = True
    timeout_s: float = 120.0
    parallel: int = 4
    temperature: float = TEMPERATURE
    top_p: float = TOP_P

    @property
    def name(self) -> str:
        """Who writes, and how. Not where: a model may move to another server."""
        way = "chat" if self.chat else "completions"
        return f"{self.model} {way} t{self.temperature:g} p{self.top_p:g}"

    def ask(self, prompt: Asked, /) -> Answer:
        """What it writes, up to a stop; or why nothing: it refused this prompt, or took too long,
        which is not tried again. Raises EngineDown and Refused where others need not be asked."""
        try:
            done = self._sent(prompt)
        except TimeoutError:
            return Answer(None, self.estimate(prompt), f"no answer within {self.timeout_s:g} s")
        except EngineDown as error:
            raise EngineDown(_clean(str(error), prompt)) from None
        except Refused as error:
            told = _clean(str(error), prompt)
            if error.status not in OWN:
                raise Refused(f"{self.client.server.url} refuses {self.model!r}: {told}") from None
            return Answer(None, why=told)
        text = until(_plain(done.said[0].text), prompt.stop)
        return Answer(text, _tokens(done) or self.estimate(prompt))

    def estimate(self, prompt: Asked, /) -> int:
        """Tokens that it will take, if the answer is as long as it may be; rather too many."""
        size = len(prompt.text.encode("utf-8", "surrogatepass"))
        return size // BYTES + AROUND + prompt.most_tokens

    def _sent(self, prompt: Asked) -> Completed:
        body: dict[str, Any] = {
            "model": self.model,
            "max_tokens": prompt.most_tokens,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": prompt.seed,
        }
        if prompt.stop:
            body["stop"] = list(prompt.stop)
        if not self.chat:
            return self.client.complete(body | {"prompt": prompt.text}, self.timeout_s)
        messages = [{"role": "user", "content": prompt.text}]
        return self.client.chat(body | {"messages": messages}, self.timeout_s)


def _tokens(done: Completed) -> int:
    """What the server counted; 0 where it does not say."""
    told = (done.prompt_tokens, done.said_tokens)
    return sum(n for n in told if isinstance(n, int) and n > 0)


def _plain(text: str) -> str:
    """Without what neither a row nor Label Studio's database could hold, and not without end."""
    return text[:MOST].encode("utf-8", "ignore").decode().replace("\x00", "")


def _clean(told: str, prompt: Asked) -> str:
    """A message for people and logs: what the server says in it, unless it repeats the prompt."""
    head, status, words = told.partition("HTTP ")
    pieces = (words[i : i + TELLING] for i in range(3, len(words) - TELLING + 1))
    if not any(p in prompt.text for p in pieces):
        return told
    return f"{head}{status}{words[:3]}, in words that repeat the prompt"
