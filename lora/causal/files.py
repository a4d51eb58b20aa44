"""A causal adapter's files: PEFT's own two, and causal.json, which stands where heads would.

causal.json: {"format": 1, "prompt": the prompt's version, "controls": {name: {"temperature": t}}}
"""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save_file

from lora.causal.calibrate import Calibration
from lora.causal.fit import CausalFitted
from lora.causal.prompt import VERSION
from lora.errors import BrokenAdapter
from lora.heads import UNREADABLE
from lora.loaded import LORA, LORA_CONFIG

TABLE = "causal.json"
FORMAT = 1


def write_causal(folder: Path, fitted: CausalFitted) -> None:
    """Write PEFT's files and the calibration; not the manifest, which is the store's."""
    save_file(dict(fitted.plain.tensors), folder / LORA, metadata={"format": "pt"})
    config = json.dumps(fitted.plain.config(fitted.base), indent=1, sort_keys=True)
    (folder / LORA_CONFIG).write_text(config, encoding="utf-8")
    controls = {n: {"temperature": c.temperature} for n, c in fitted.calibration.items()}
    table = {"format": FORMAT, "prompt": VERSION, "controls": controls}
    text = json.dumps(table, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / TABLE).write_text(text, encoding="utf-8")


def read_calibration(folder: Path) -> dict[str, Calibration]:
    """By control what write_causal wrote; raises BrokenAdapter, also where the prompts that the
    adapter was trained on are not those of this program."""
    path = folder / TABLE
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        form, prompt = raw["format"], raw["prompt"]
        found = {str(n): Calibration(float(c["temperature"])) for n, c in raw["controls"].items()}
    except UNREADABLE as error:
        raise BrokenAdapter(f"{path} cannot be read: {error}") from error
    if (form, prompt) != (FORMAT, VERSION):
        raise BrokenAdapter(
            f"{path} has format {form} and prompts of version {prompt}; this program reads "
            f"{FORMAT} and asks with {VERSION}: train again"
        )
    return found
