"""What the tests of causal bases share."""

from __future__ import annotations

import pytest

from lora.base import Base
from tests.lora.causal.made import causal_base


@pytest.fixture(scope="session")
def llama() -> Base:
    """A random Llama of two layers, float32."""
    return causal_base("llama")
