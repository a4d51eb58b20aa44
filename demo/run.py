"""The main job, from an empty folder to a project that tunes itself: `make demo`.

Everything it starts it stops again, on Ctrl-C as on an error; a second run goes on where the
first one stopped.
"""

from __future__ import annotations

import argparse
import os
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from rich.console import Console

from demo import offline, rounds
from demo.annotator import Annotator
from demo.predictor import Backend, PredictFailed
from demo.probe import TEXTS, Probe, Tally
from demo.project import Project, answers, find_project
from demo.result import Result, read_result
from demo.rows import Data, InvalidRows, load_data
from demo.score import Scores, score
from demo.show import Show
from label_config import read_schema
from lora.store import Store
from sync.start.api import StudioApi, StudioRefused
from sync.start.house import CommandFailed, House, open_house
from sync.start.process import StartFailed
from sync.start.project import wait_for_predictions

SAMPLE = Path(__file__).parent / "data"
READY_S, PUSHED_S = 180.0, 600.0
ENDS = (signal.SIGINT, signal.SIGTERM)
READY_ID = 1_500_000_000  # an id no task has
LEFT = 20  # tasks that are left for the person at the end
EXPECTED = (
    StartFailed,
    StudioRefused,
    PredictFailed,
    CommandFailed,
    InvalidRows,
    rounds.RoundFailed,
)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line of `python -m demo`, which is DEMO_ARGS of make."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--data", type=Path, default=SAMPLE, help="folder with train and test")
    parser.add_argument("--labels", type=int, default=200, help="human answers in all")
    parser.add_argument("--every", type=int, default=25, help="answers that start a round")
    parser.add_argument("--seed", type=int, default=0, help="which rows arrive, in what order")
    parser.add_argument("--pace", type=float, default=0.3, help="seconds of thought per answer")
    parser.add_argument("--folder", type=Path, default=Path(".annotune-demo"), help="what is kept")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table as JSON")
    parser.add_argument("--exit", action="store_true", help="stop at the end of the rounds")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Run the demo; 0 when the rounds came to their end or the person pressed Ctrl-C."""
    options = parse(arguments)
    show = Show(Console())

    def stop(number: int, frame: object) -> None:
        _stopping(show)
        raise KeyboardInterrupt

    for number in ENDS:  # a background shell leaves SIGINT ignored
        signal.signal(number, stop)
    try:
        data = load_data(options.data, options.seed)
        show.say("Starting Redis, Label Studio and annotune (the first start takes a minute) ...")
        extra = {"ANNOTUNE_TRAIN_EVERY": str(options.every)}
        with open_house(options.folder, os.environ, extra) as house:
            try:
                _run(options, show, house, data)
            finally:
                if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
                    _stopping(show)
    except KeyboardInterrupt:
        return 0
    except EXPECTED as error:
        show.say(f"The demo cannot go on: {error}")
        return 1
    return 0


def _stopping(show: Show) -> None:
    """Say so, and hear no signal from here on: all shall be stopped in peace."""
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)
    show.close()
    show.say("Stopping ...")


def _run(options: argparse.Namespace, show: Show, house: House, data: Data) -> None:
    with closing(StudioApi(house.studio.url, house.studio.token)) as api:
        project = find_project(api, house.folder, options.data, options.seed, data)
        house.command("connect", str(project.id))
        backend = _backend(house, project, data)
        _wait_until_ready(house, backend, show)
        done = _rounds(options, show, house, api, project, backend, data)
    if options.json:
        options.json.write_text(done.to_json(), encoding="utf-8")
    _say_end(show, house, project, done)
    if not options.exit:
        show.close()
        _stay(house, show)


def _backend(house: House, project: Project, data: Data) -> Backend:
    told = house.settings.backend
    return Backend(told.url, told.user, told.password, str(project.id), data.config)


def _wait_until_ready(house: House, backend: Backend, show: Show) -> None:
    """The model needs a few seconds to load; raises PredictFailed when it does not."""
    deadline = time.monotonic() + READY_S
    with backend.client() as http:
        while True:
            show.progress("waiting for the model to load")
            try:
                backend.predict(http, ["ready?"], first_id=READY_ID)
                return
            except PredictFailed:
                if time.monotonic() > deadline or not house.up.alive:
                    raise
            time.sleep(0.3)


def _rounds(
    options: argparse.Namespace,
    show: Show,
    house: House,
    api: StudioApi,
    project: Project,
    backend: Backend,
    data: Data,
) -> Result:
    """Play the rounds that are still to be played, under the probe's load."""
    texts = [row.text for row in data.test[:TEXTS]]
    labels = answers(api, project)
    if labels:
        rounds.settle(house, project, show.progress)
    last = score(backend, data)
    result = read_result(project.result) or _new_result(options, data, last)
    rounds.remember(project, result)
    scored = last.requests
    wanted = min(options.labels, max(0, len(data.pool) - LEFT))
    show.say(f"{len(data.pool)} tasks, {len(data.test)} test rows, {labels} answers so far.")
    show.table(result)
    with Probe(backend, texts) as probe:
        if labels < wanted:
            wait_for_predictions(api, project.id, PUSHED_S, show.progress)
        annotator = Annotator(api, project.id, data.gold, options.seed, options.pace)
        stage = rounds.Stage(house, project, backend, data, probe, annotator, show.progress)
        for goal in rounds.goals(labels, wanted, options.every):
            one, last = rounds.play(stage, labels, goal, last)
            labels, result = one.labels, result.with_round(one)
            scored += last.requests if one.promoted else 0
            rounds.remember(project, result)
            show.table(result)
    result = _with_probe(result, probe.tally, house, project, data, texts)
    result = result.with_requests(scored, failed=0, mixed=0, seconds=0.0)
    rounds.remember(project, result)
    return result


def _new_result(options: argparse.Namespace, data: Data, cold: Scores) -> Result:
    told = {"test": cold.test, "test_spans": cold.test_spans, "version": cold.version}
    return Result(options.data.resolve().name, options.seed, len(data.pool), told)


def _with_probe(
    result: Result, tally: Tally, house: House, project: Project, data: Data, texts: Sequence[str]
) -> Result:
    """The probe's counts, with each good reply held against what its version says alone."""
    store = Store(house.settings.store).project(str(project.id))
    alone = offline.versions_alone(store, data.config, house.settings.train.base, texts)
    mixed = offline.count_mixed(tally.replies, texts, read_schema(data.config), alone)
    return result.with_requests(tally.requests, tally.failed, mixed, tally.seconds, tally.failures)


def _say_end(show: Show, house: House, project: Project, done: Result) -> None:
    show.close()
    show.say(
        f"{done.promotions} adapters promoted; {done.predict_requests} /predict requests, "
        f"{done.predict_failed} failed, {done.mixed} mixed."
    )
    account = house.studio.account
    show.say(f"\nLabel Studio: {account.url}/projects/{project.id}/data")
    show.say(f"Login:        {account.email}   Password: {account.password}")
    own = house.settings
    show.say(f"Operators:    {own.sync.url}/project/{project.id}   Password: {own.page.password}")
    show.say(f"Status:       python -m sync.cli --env-file {house.folder}/annotune.env status")


def _stay(house: House, show: Show) -> None:
    """Keep running until Ctrl-C, or until `annotune up` ends by itself."""
    show.say("\nEverything keeps running: go on in the browser. Ctrl-C stops it.")
    waiting = threading.Event()
    while house.up.alive:
        waiting.wait(1.0)
    raise StartFailed(f"annotune up has ended:\n{house.up.log_tail()}")
