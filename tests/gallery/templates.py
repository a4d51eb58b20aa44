"""The label configs of Label Studio's own gallery, read from the wheel in its environment."""

from __future__ import annotations

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
STUDIO = ROOT / ".venv-ls"


def gallery() -> dict[str, str]:
    """Label configs by template name, such as natural-language-processing/taxonomy."""
    folder = "lib/python3*/site-packages/label_studio/annotation_templates"
    files = STUDIO.glob(f"{folder}/*/*/config.yml")
    return {
        f"{f.parent.parent.name}/{f.parent.name}": yaml.safe_load(f.read_text("utf-8"))["config"]
        for f in sorted(files)
    }
