"""`annotune check`: what a label config gets here, before or after there is a project of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from label_config import InvalidConfig, Report, check, report_lines
from label_config.fetch import NotFetched
from label_config.values import Task
from label_config.wire import task_texts
from lora.hardware import find_machine
from settings import Settings
from sync.advised import Advised, advise_on
from sync.studio_values import ProjectInfo, StudioLike
from sync.terms import Terms, read_terms

LARGEST = 4_000_000  # bytes of a file that are read
SAMPLE = 200  # tasks of a project whose texts are measured


class Unreadable(Exception):
    """There is no config to check; the message says what came and what would do."""


@dataclass(frozen=True)
class Checked:
    """The report on one config, the terms it gets here, which base it wants, and what one of its
    tasks lacks."""

    source: str
    report: Report
    terms: Terms
    advised: Advised
    task: int | None = None
    lacking: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether everything the config asks for is predicted."""
        all_of_it = self.report.predicted == len(self.report.verdicts) > 0
        return all_of_it and not self.lacking

    def to_dict(self) -> dict[str, Any]:
        return {
            "source": self.source,
            **self.report.to_dict(),
            "base": self.terms.base,
            "problems": list(self.terms.problems),
            "task": self.task,
            "lacking": list(self.lacking),
            "predicted": self.whole,
            "recommended": self.advised.to_dict(),
        }

    def lines(self) -> list[str]:
        """The same for people."""
        lines = [self.source, *report_lines(self.report), f"base: {self.terms.base}"]
        lines += [f"problem: {problem}" for problem in self.terms.problems]
        lines += [f"task {self.task}: {what}" for what in self.lacking]
        return lines + self.advised.lines()


def check_file(settings: Settings, path: Path) -> Checked:
    """Check a labelling XML, or a `config.yml` of Label Studio's gallery. Raises Unreadable."""
    if path.stat().st_size > LARGEST:
        raise Unreadable(f"{path} has more than {LARGEST} bytes; a label config is far smaller")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path} is no UTF-8 text") from error
    if path.suffix.lower() in {".yml", ".yaml"}:
        text = _from_gallery(path, text)
    return _checked(settings, str(path), text)


def check_project(
    settings: Settings, studio: StudioLike, project: str, answers: int | None = None
) -> Checked:
    """Check a project's config as Label Studio has it, against some of its tasks; `answers`:
    people's so far, where that is known.

    Raises Unreadable and StudioError.
    """
    info: ProjectInfo = studio.project(project)
    states = studio.changed_tasks(project, None) if info.tasks else iter(())
    some = [state.task for state in islice(states, SAMPLE)]
    found = _checked(settings, f"project {project} ({info.title})", info.config, some, answers)
    if not some:
        return found
    return replace(found, task=some[0].id, lacking=_lacking(found.terms, some[0].data))


def _checked(
    settings: Settings,
    source: str,
    config: str,
    some: Sequence[Task] = (),
    answers: int | None = None,
) -> Checked:
    try:
        terms = read_terms(settings, config)
    except InvalidConfig as error:
        raise Unreadable(f"{source}: {error}") from error
    advised = advise_on(settings, terms, find_machine(), some, answers)
    return Checked(source, check(terms.schema), terms, advised)


def _lacking(terms: Terms, data: Mapping[str, object]) -> tuple[str, ...]:
    try:
        return task_texts(terms.schema, terms.fetched(data)).missing
    except NotFetched as reason:
        return (str(reason),)


def _from_gallery(path: Path, text: str) -> str:
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise Unreadable(f"{path} is no YAML: {why}") from error
    config = found.get("config") if isinstance(found, dict) else None
    if not isinstance(config, str):
        raise Unreadable(f"{path} has no text under `config`, as Label Studio's templates have")
    return config
