"""Calls that schemathesis makes of docs/api/, such as fit the description and such as do not: each
is answered as it says there. A case is EXAMPLES calls of one route, drawn by its number.

`make test` has a few in tests/test_api.py, too, of each route.
"""

from __future__ import annotations

from pathlib import Path

from schemathesis import GenerationMode

from tests.fuzz.running import fuzz
from tests.sync.page.made import page_house
from tests.test_api import called, operations_of, takes_json
from tests.test_guarded import built

EXAMPLES = (
    20  # hypothesis begins with the simplest call of all: of one alone it would know no other
)


def test_calls_that_fit_the_description_and_such_that_do_not(tmp_path: Path) -> None:
    with page_house(tmp_path) as house:
        house.world.log.connect("3", "s3cret")
        ways = [
            (app, operation, mode)
            for app in built(house)
            for operation in operations_of(app)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
            if mode is GenerationMode.POSITIVE or takes_json(app, operation)
        ]
        tried = [0]

        def case(number: int) -> str:
            app, operation, mode = ways[number % len(ways)]
            tried[0] += called(app, operation, mode, number, EXAMPLES)
            return f"{app.name} {'fits' if mode is GenerationMode.POSITIVE else 'does not fit'}"

        fuzz("routes", 4, case, share=EXAMPLES)
        assert tried[0] > 4
