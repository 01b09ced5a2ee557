"""What the tests of the integrations share."""

import pytest

import pequel
from pequel.testing import capture


@pytest.fixture
def events():
    """What the application tracks by the functions of the package."""
    with capture() as events:
        yield events
    assert pequel.current_context() == {}, "a scope was left behind"
