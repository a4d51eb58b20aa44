"""The environment becomes settings, or a message that names the variable and what would do."""

from pathlib import Path

import pytest

from settings import InvalidSetting, Settings, load
from settings_guard import is_loopback, missing_password, warnings


def test_an_empty_environment_gives_the_defaults() -> None:
    assert load({}) == Settings()


def test_values_are_cast_to_their_fields(tmp_path: Path) -> None:
    settings = load({"ANNOTUNE_HOME": str(tmp_path), "ANNOTUNE_TRAIN_EVERY": "50", "PATH": "/bin"})
    assert settings.train.every == 50
    assert settings.store == tmp_path / "store"


def test_the_store_is_in_the_home_in_a_folder_or_mirrors_a_bucket(tmp_path: Path) -> None:
    home = {"ANNOTUNE_HOME": str(tmp_path)}
    assert load(home | {"ANNOTUNE_STORE": "/srv/store"}).store == Path("/srv/store")
    one, other = (load(home | {"ANNOTUNE_STORE": f"s3://{name}/p/"}) for name in ("a", "b"))
    assert (one.bucket, other.bucket) == ("s3://a/p", "s3://b/p")
    assert one.store.parent == tmp_path / "cache" and one.store != other.store
    assert load(home).bucket == "" == load(home | {"ANNOTUNE_STORE": "/srv/store"}).bucket
    cache = load(home | {"ANNOTUNE_STORE": "s3://a/p", "ANNOTUNE_S3_CACHE": "/var/cache"})
    assert cache.store == Path("/var/cache") / one.store.name


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
            "ANNOTUNE_SYNC_LOG": "postgresql://ann:hush@db/log",
            "ANNOTUNE_BACKEND_ENGINE_KEY": "hush",
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
        ({"ANNOTUNE_STORE": "gs://bucket"}, "must be a folder or s3://bucket/prefix"),
        ({"ANNOTUNE_STORE": "s3://key:secret@bucket/a"}, "without keys"),
        ({"ANNOTUNE_STORE": "s3://"}, "must be s3://bucket/prefix"),
        ({"ANNOTUNE_S3_POLL_S": "0"}, "must be above 0"),
        ({"ANNOTUNE_S3_LEASE_S": "7"}, "ANNOTUNE_S3_LEASE_S=7 must be 8 or more"),
        ({"ANNOTUNE_TRAIN_DEVICE": "tpu"}, "must be auto, cpu or cuda"),
        ({"ANNOTUNE_SYNC_QUIET_S": "0"}, "must be above 0"),
        ({"ANNOTUNE_SYNC_POLL_S": "-1"}, "must be above 0"),
        ({"ANNOTUNE_TRAIN_STEPS": "-1"}, "_STEPS 0 or more"),
        ({"ANNOTUNE_BACKEND_HOST": "0.0.0.0"}, "without a password"),
        ({"ANNOTUNE_BACKEND_HOST": "0.0.0.0", "ANNOTUNE_BACKEND_OPEN": "1"}, "without a password"),
        ({"ANNOTUNE_BACKEND_HOST": "", "ANNOTUNE_BACKEND_PASSWORD": "short"}, "has 5 characters"),
        (
            {"ANNOTUNE_SYNC_HOST": "10.0.0.5", "ANNOTUNE_PAGE_PASSWORD": "short"},
            "SYNC_HOST=10.0.0.5 .* ANNOTUNE_PAGE_PASSWORD has 5 characters",
        ),
        (
            {"ANNOTUNE_SYNC_HOST": "10.0.0.5", "ANNOTUNE_PAGE_PASSWORD": "demo-" + "x" * 22},
            "ANNOTUNE_PAGE_PASSWORD is the demo's",
        ),
        (
            {"ANNOTUNE_SYNC_HOST": "10.0.0.5", "ANNOTUNE_PAGE_OPEN": "1"},
            "unset ANNOTUNE_PAGE_OPEN and set ANNOTUNE_PAGE_PASSWORD",
        ),
        ({"ANNOTUNE_PAGE_SESSION_H": "0"}, "ANNOTUNE_PAGE_SESSION_H must be above 0"),
        (
            {"ANNOTUNE_BACKEND_HOST": "10.0.0.5", "ANNOTUNE_BACKEND_PASSWORD": "demo-" + "x" * 22},
            "BACKEND_PASSWORD is the demo's",
        ),
        (
            {"ANNOTUNE_SYNC_HOST": "::", "ANNOTUNE_SYNC_SECRET": "demo-" + "x" * 22},
            "SYNC_SECRET is the demo's",
        ),
        ({"ANNOTUNE_SYNC_SECRET": "gr\u00fc\u00dfe" * 3}, "no HTTP header can hold"),
        ({"ANNOTUNE_STUDIO_URL": "http://ann:hush@studio"}, "STUDIO_URL holds a user"),
        ({"ANNOTUNE_BACKEND_URL": "http://hush@gpu"}, "BACKEND_URL holds a user"),
        ({"ANNOTUNE_SYNC_URL": "gpu:9091"}, "SYNC_URL must be an address"),
        ({"ANNOTUNE_QUEUE_URL": "redis://redis:6379/0"}, "beyond this machine without a password"),
        ({"ANNOTUNE_QUEUE_URL": "redis://ann@10.0.0.1/0"}, "beyond this machine without a pass"),
        ({"ANNOTUNE_QUEUE_URL": "redis://[::1"}, "must be an address such as redis"),
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
    with pytest.raises(InvalidSetting, match=words) as told:
        load(environ)
    assert "hush" not in str(told.value)


def test_a_secret_given_as_the_name_of_its_file_is_not_printed() -> None:
    with pytest.raises(InvalidSetting, match="STUDIO_TOKEN_FILE names cannot be read") as told:
        load({"ANNOTUNE_STUDIO_TOKEN_FILE": "eyJhbGciOi.s3cret.hush"})
    assert "hush" not in str(told.value)


@pytest.mark.parametrize(
    "url",
    [
        *("redis://localhost", "redis://127.0.0.3:1/0", "redis://[::1]:6379", "unix:///run/redis"),
        *("redis://:hush@redis/0", "rediss://ann:hush@10.0.0.1", "redis://redis?password=hush"),
    ],
)
def test_a_redis_here_or_with_a_password_will_do(url: str) -> None:
    assert load({"ANNOTUNE_QUEUE_URL": url}).queue.url == url


def test_what_is_open_on_purpose_is_said() -> None:
    assert list(warnings(load({}))) == []
    assert list(warnings(load({"ANNOTUNE_BACKEND_OPEN": "1", "ANNOTUNE_QUEUE_OPEN": "1"}))) != []
    (page,) = warnings(load({"ANNOTUNE_PAGE_OPEN": "1"}))
    assert page.startswith("ANNOTUNE_PAGE_OPEN: the operators' page asks for no password")
    opened = {"ANNOTUNE_QUEUE_OPEN": "1", "ANNOTUNE_QUEUE_URL": "redis://redis"}
    assert [w.split(":")[0] for w in warnings(load(opened))] == ["ANNOTUNE_QUEUE_OPEN"]


def test_a_backend_without_a_password_starts_only_if_it_is_open_on_purpose() -> None:
    assert "ANNOTUNE_BACKEND_OPEN=1" in (missing_password(load({})) or "")
    for name in ("ANNOTUNE_BACKEND_OPEN", "ANNOTUNE_BACKEND_PASSWORD"):
        assert missing_password(load({name: "1"})) is None


@pytest.mark.parametrize(
    ("host", "here"),
    [
        *(("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True)),
        *(("0.0.0.0", False), ("::", False), ("", False), ("gpu", False), ("10.0.0.1", False)),
    ],
)
def test_loopback_is_told_from_the_rest(host: str, here: bool) -> None:
    assert is_loopback(host) is here
