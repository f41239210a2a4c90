"""What the interop suites share; both scripts of the manual are tested where the manual is."""
import pytest

from support import manual

collect_ignore = [] if manual.server_script() else ["test_manual_scripts.py"]


@pytest.fixture(scope="module")
def started():
    """Each peer once, started when it is first needed."""
    running = {}

    def start(kind):
        if kind not in running:
            running[kind] = kind()
        return running[kind]

    yield start
    for peer in running.values():
        peer.close()
