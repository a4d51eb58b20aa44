"""What was recorded of llama-cpp-python's server, and the question that it was asked."""

from __future__ import annotations

from pathlib import Path

from label_config.controls import Control, Label, Schema
from lora.base import Base
from lora.causal.ask import Ask, Option
from lora.causal.remote.adapters import Remote
from lora.loaded import Loaded
from lora.weights import Mode

HERE = Path(__file__).parent / "captures" / "llama_cpp_python.json"
LABELS = ("play music", "get weather", "book restaurant")
CONTROL = Control("intent", "Choices", "t", "text", labels=tuple(Label(v, v) for v in LABELS))
ASK = Ask(
    CONTROL,
    "<|im_start|>user\nwill it rain in Oslo tomorrow?<|im_end|>\n<|im_start|>assistant\n",
    "intent: ",
    options=tuple(Option(v, v) for v in LABELS),
)


def cold_of(model: str, base: Base) -> Loaded:
    """The plain base, under its name on the server."""
    weights = Remote(base.revision, Mode(), model=model)
    return Loaded("cold", Schema((CONTROL,)), weights, {})
