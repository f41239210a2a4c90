"""What the tests of the packaging share."""
import pytest

from support.installed import Installed


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    return Installed(tmp_path_factory.mktemp("prefix"))
