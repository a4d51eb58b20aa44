"""A project's terms: what its label config asks for, within what ops allow.

The one place in sync where a config is read. Ops' settings are the defaults; the config's
`annotune-*` attributes override base (if it is among those allowed), target and blind share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from label_config import InvalidConfig, Schema, read_schema
from label_config.fetch import Fetcher
from lora.errors import BaseUnavailable
from lora.recipe import kind_of
from settings import InvalidSetting, Settings

Data = Mapping[str, object]


@dataclass(frozen=True)
class Terms:
    """How one project is read, trained and judged. `schema`: what the base predicts of the config;
    `settings`: with the admin's wishes in them; `problems`: wishes that are not granted, and why.
    """

    config: str
    schema: Schema
    settings: Settings = field(repr=False)
    problems: tuple[str, ...] = ()

    @property
    def base(self) -> str:
        return self.settings.train.base

    @property
    def regulated(self) -> bool:
        return bool(self.schema.admin.regulated)

    @property
    def fetches(self) -> bool:
        """Whether a task holds the address of a text instead of the text."""
        return any(o.url for o in self.schema.objects)

    def fetched(self, data: Data) -> Data:
        """A task's data with each address replaced by its text. Raises NotFetched."""
        if not self.fetches:
            return data
        found: Data = self._fetcher.resolve(self.schema, data)
        return found

    @cached_property
    def _fetcher(self) -> Fetcher:
        return Fetcher(_listed(self.settings.backend.urls))


def read_terms(settings: Settings, config: str, base: str | None = None) -> Terms:
    """The terms under a labelling XML, as if it asked for `base` where one is given.

    Raises InvalidConfig.
    """
    schema = whole_schema(settings, config)
    admin, problems = schema.admin, list[str]()
    base = base or admin.base or settings.train.base
    if not base_allowed(settings, base):
        asked, base = base, settings.train.base
        problems.append(
            f"the label config asks for base {asked!r}, which is not allowed here: {base!r} is "
            "used; ops can add it to ANNOTUNE_TRAIN_BASES"
        )
    schema = _served(schema, base, problems)
    target = settings.gate.target if admin.target is None else admin.target
    share = settings.blind.share if admin.blind_share is None else admin.blind_share
    own = replace(
        settings,
        train=replace(settings.train, base=base),
        gate=replace(settings.gate, target=target),
        blind=replace(settings.blind, share=share),
    )
    return Terms(config, schema, own, tuple(problems))


def whole_schema(settings: Settings, config: str) -> Schema:
    """What a config asks for, texts to be written included. Raises InvalidConfig."""
    return read_schema(config, urls=bool(_listed(settings.backend.urls)))


def _served(schema: Schema, base: str, problems: list[str]) -> Schema:
    """What the base predicts of a schema; all of it where nobody can tell what kind it is."""
    if all(c.form != "text" for c in schema.controls):
        return schema  # every kind predicts it, so the base need not even be here
    try:
        return schema.served_by(kind_of(base))
    except BaseUnavailable as error:
        problems.append(f"whether base {base!r} writes texts is not known: {error}")
        return schema


def terms_or_default(settings: Settings, config: str) -> Terms:
    """The same; of a config that cannot be read nothing is predicted, and ops' settings hold."""
    try:
        return read_terms(settings, config)
    except InvalidConfig as error:
        return Terms(config, Schema(()), settings, (str(error),))


def schema_of_groups(config: str) -> Schema:
    """What decides which texts are compared; addresses count whether or not they may be fetched."""
    try:
        return read_schema(config, urls=True)
    except InvalidConfig:
        return Schema(())


def check_addresses(settings: Settings) -> None:
    """Raises InvalidSetting where the addresses that texts may be fetched from are none."""
    try:
        Fetcher(_listed(settings.backend.urls))
    except ValueError as error:
        raise InvalidSetting(f"ANNOTUNE_BACKEND_URLS: {error}") from error


def base_allowed(settings: Settings, base: str) -> bool:
    """Whether ops let a label config ask for this base."""
    return base in allowed_bases(settings)


def allowed_bases(settings: Settings) -> list[str]:
    """The bases that a label config may ask for, the usual one first."""
    return list(dict.fromkeys([settings.train.base, *_listed(settings.train.bases)]))


def _listed(commas: str) -> list[str]:
    return [part.strip() for part in commas.split(",") if part.strip()]
