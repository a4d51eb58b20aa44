"""Label configs and the attributes of ours in them, changed: read or refused with a reason, and
answered all the same, as Label Studio's own check of predictions takes it."""

from __future__ import annotations

import json
import random

from flask.testing import FlaskClient

from label_config import InvalidConfig, check
from label_config.admin import ATTRIBUTES, ROLE
from settings import Settings, Train
from sync.terms import read_terms, schema_of_groups, terms_or_default
from tests.fuzz.held import ask
from tests.fuzz.mutate import VALUES, draw, text, xml
from tests.fuzz.running import fuzz
from tests.fuzz.samples import SAMPLES

SETTINGS = Settings(train=Train(bases="minilm,smollm"))


def test_label_configs_changed(backend: FlaskClient) -> None:
    """Answered by a version of another config, or by the cold start."""

    def case(number: int) -> str:
        rng = draw("configs", number)
        at = number % len(SAMPLES)
        config = xml(rng, SAMPLES[at].config)
        project = str(at + 1) if rng.random() < 0.5 else "99"
        tasks = [{"id": 1, "data": dict(SAMPLES[at].data)}]
        body = {"project": project, "label_config": config, "tasks": tasks}
        status = ask(backend, "/predict", json.dumps(body).encode())
        setup = {"project": project, "schema": config}
        return f"{status} {ask(backend, '/setup', json.dumps(setup).encode())}"

    assert fuzz("configs", 64, case).said["200 200"]


NAMES = [*ATTRIBUTES, ROLE, "annotune-", "annotune-unknown", "Annotune-Base", "annotune-target2"]
ASKED = [
    *("minilm", "smollm", "bert", "../minilm", "/etc", "org/name@main", "minilm,smollm", "none"),
    *("0.9", "90%", "1", "1.0", "100%", "101%", "-1", "0", "0%", ".5", "5e-1", "nan", "inf", "٣٠%"),
    *("true", "TRUE", "false", "yes", "0.05", "0.5", "5 %", "50%", "variant", "context"),
]


def asked(rng: random.Random, config: str) -> str:
    """The config with one to four attributes of ours, on its root or on any tag."""
    for _ in range(rng.choice([1, 1, 2, 4])):
        spiced = text(rng).translate({ord(c): "&amp;" if c == "&" else " " for c in '"<&\0'})
        value = rng.choice([*ASKED, *ASKED, *VALUES, spiced])
        tag = rng.choice(["View", "View", "View", "TextArea", "Text", "Choices", "Label"])
        config = config.replace(f"<{tag}", f'<{tag} {rng.choice(NAMES)}="{value}"', 1)
    return config


def test_attributes_of_ours_changed(backend: FlaskClient) -> None:
    """What cannot be granted is named; what is granted lies within what ops allow."""

    def case(number: int) -> str:
        rng = draw("admin", number)
        config = asked(rng, SAMPLES[number % len(SAMPLES)].config)
        ask(backend, "/setup", json.dumps({"project": "99", "schema": config}).encode())
        schema_of_groups(config)
        held = terms_or_default(SETTINGS, config)
        try:
            terms = read_terms(SETTINGS, config)
        except InvalidConfig as refused:
            assert str(refused) and held.problems == (str(refused),)
            return "refused"
        assert held.settings == terms.settings
        assert terms.base in {"minilm", "smollm"}
        assert 0 <= terms.settings.gate.target <= 1
        assert 0.05 <= terms.settings.blind.share <= 0.5
        json.dumps(check(terms.schema).to_dict(), allow_nan=False)
        unread = [u for u in terms.schema.unsupported if u.name.lower().startswith("annotune")]
        return "named" if unread or terms.problems else "granted"

    assert {"refused", "named", "granted"} <= set(fuzz("admin", 200, case).said)
