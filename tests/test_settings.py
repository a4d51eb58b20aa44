"""The environment becomes settings, or a message that names the variable and what would do."""

from pathlib import Path

import pytest

from settings import InvalidSetting, Settings, load


def test_an_empty_environment_gives_the_defaults() -> None:
    assert load({}) == Settings()


def test_values_are_cast_to_their_fields(tmp_path: Path) -> None:
    settings = load({"ANNOTUNE_HOME": str(tmp_path), "ANNOTUNE_TRAIN_EVERY": "50", "PATH": "/bin"})
    assert settings.train.every == 50
    assert settings.store == tmp_path / "store"


@pytest.mark.parametrize(("raw", "meant"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_a_switch_is_on_or_off(raw: str, meant: bool) -> None:
    settings = load({"ANNOTUNE_TRAIN_GRADIENT_CHECKPOINTING": raw})
    assert settings.train.gradient_checkpointing is meant


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    assert load({"ANNOTUNE_STUDIO_TOKEN_FILE": str(tmp_path / "token")}).studio.token == "s3cret"


def test_secrets_are_not_in_the_repr() -> None:
    settings = load(
        {
            "ANNOTUNE_STUDIO_TOKEN": "hush",
            "ANNOTUNE_SYNC_SECRET": "hush",
            "ANNOTUNE_BACKEND_PASSWORD": "hush",
            "ANNOTUNE_QUEUE_URL": "redis://:hush@localhost",
            "ANNOTUNE_AUGMENT_GENERATOR_KEY": "hush",
        }
    )
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"ANNOTUNE_TRAIN_EVERY": "many"}, "ANNOTUNE_TRAIN_EVERY='many' is not a int"),
        ({"ANNOTUNE_TRAIN_EVRY": "5"}, "ANNOTUNE_TRAIN_EVRY is not a setting"),
        ({"ANNOTUNE_STUDIO_TOKEN_FILE": "/does/not/exist"}, "cannot be read"),
        ({"ANNOTUNE_BLIND_SHARE": "0.9"}, "must lie in"),
        ({"ANNOTUNE_BLIND_FIRST_IN": "1"}, "one task in N"),
        ({"ANNOTUNE_TRAIN_DEVICE": "tpu"}, "must be auto, cpu or cuda"),
        ({"ANNOTUNE_SYNC_QUIET_S": "0"}, "must be above 0"),
        ({"ANNOTUNE_SYNC_POLL_S": "-1"}, "must be above 0"),
        ({"ANNOTUNE_TRAIN_STEPS": "-1"}, "_STEPS 0 or more"),
        ({"ANNOTUNE_BACKEND_HOST": "0.0.0.0"}, "without a password"),
        ({"ANNOTUNE_TRAIN_QUANTIZE": "int8"}, "must be nf4 or empty"),
        ({"ANNOTUNE_BACKEND_ENGINE_KIND": "tgi"}, "must be one of llama-cpp-python, llama.cpp, o"),
        ({"ANNOTUNE_BACKEND_ENGINE_URL": "localhost:8000"}, "must be an address such as"),
        ({"ANNOTUNE_BACKEND_ENGINE_URL": "http://a:hush@b"}, "ENGINE_KEY .or _KEY_FILE. instead"),
        (
            {"ANNOTUNE_BACKEND_ENGINE_URL": "http://b", "ANNOTUNE_BACKEND_QUANTIZE": "nf4"},
            "is our own engine.s",
        ),
        ({"ANNOTUNE_TRAIN_VARIANT": "ia3"}, "must be one of dora, lora, lora"),
        (
            {"ANNOTUNE_TRAIN_VARIANT": "pissa", "ANNOTUNE_TRAIN_QUANTIZE": "nf4"},
            "without ANNOTUNE_TRAIN_QUANTIZE",
        ),
        ({"ANNOTUNE_TRAIN_GRADIENT_CHECKPOINTING": "maybe"}, "must be 1 or 0"),
        ({"ANNOTUNE_TRAIN_CHECKPOINT_S": "-1"}, "must be 0 or more"),
        ({"ANNOTUNE_TRAIN_GPUS": "2", "ANNOTUNE_TRAIN_QUANTIZE": "nf4"}, "stays on one"),
        ({"ANNOTUNE_AUGMENT_SOURCES": "noise,typos"}, "names typos; there are generate, inputs"),
        ({"ANNOTUNE_AUGMENT_SOURCES": "rewrite"}, "set ANNOTUNE_AUGMENT_GENERATOR to a causal"),
        ({"ANNOTUNE_AUGMENT_BUDGET": "-1"}, "_BUDGET=-1 must be 0 or more"),
        ({"ANNOTUNE_AUGMENT_GENERATOR_API": "grpc"}, "must be chat or completions"),
        ({"ANNOTUNE_AUGMENT_GENERATOR_TIMEOUT_S": "nan"}, "_TIMEOUT_S must be above 0"),
        ({"ANNOTUNE_AUGMENT_GENERATOR_PARALLEL": "0"}, "_PARALLEL 1 or more"),
        ({"ANNOTUNE_AUGMENT_GENERATOR_URL": "localhost:8000"}, "must be an address such as"),
        ({"ANNOTUNE_AUGMENT_GENERATOR_URL": "http://a:hush@b"}, "GENERATOR_KEY .or _KEY_FILE. ins"),
        ({"ANNOTUNE_AUGMENT_GENERATOR_URL": "http://b"}, "the model's name on that server"),
        (
            {
                "ANNOTUNE_AUGMENT_GENERATOR_URL": "http://b",
                "ANNOTUNE_AUGMENT_GENERATOR_KEY": "a\nb",
            },
            "_KEY has signs in it that no HTTP header can hold$",
        ),
    ],
)
def test_what_cannot_be_is_named(environ: dict[str, str], words: str) -> None:
    with pytest.raises(InvalidSetting, match=words):
        load(environ)
