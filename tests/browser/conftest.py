"""A signed-in page for each test in the browser."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from sync.start.studio import Account, Studio


@pytest.fixture
def page(sign_in: Callable[[Account], Page], studio: Studio) -> Page:
    return sign_in(studio.account)
