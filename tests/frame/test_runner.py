"""The runner, tools/test: what counts as a failed case."""
import importlib.machinery
import importlib.util
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def runner(tmp_path, monkeypatch):
    loader = importlib.machinery.SourceFileLoader("runner", str(ROOT / "tools/test"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("runner", loader))
    monkeypatch.setitem(sys.modules, "runner", module)
    loader.exec_module(module)
    for name in ("ROOT", "BUILD", "RESULTS"):
        monkeypatch.setattr(module, name, tmp_path)
    monkeypatch.setattr(module, "SUITE_SECONDS", 5)
    return module


def wait_for_number(file):
    deadline = time.monotonic() + 60
    while not file.exists() or not file.read_text().strip():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return int(file.read_text())


def is_over(pid):
    """Dead, though nobody may have waited for it yet."""
    deadline = time.monotonic() + 60
    while True:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)


def counts(cases):
    return sum(1 for case in cases if not case.failure), sum(1 for case in cases if case.failure)


@pytest.mark.parametrize("body, passed, failed", [
    ("echo 1..2; echo ok 1 - a; echo ok 2 - b", 2, 0),
    ("echo 1..2; echo ok 1 - a; echo not ok 2 - b; exit 1", 1, 1),
    ("echo 1..1; echo ok 1 - a; echo 1..2; echo ok 1 - c; echo ok 2 - d", 3, 0),
    ("echo 1..2; echo ok 1 - a; kill -SEGV $$", 1, 1),
    ("echo 1..1; echo ok 1 - a; exit 23", 1, 1),
    ("echo 1..2; echo ok 1 - a", 1, 1),
    ("echo 1..1; echo 'ok 1 - a # SKIP'", 0, 1),
    ("exit 0", 0, 1),
])
def test_cases_of_a_cmocka_program_are_counted(runner, tmp_path, body, passed, failed):
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    assert counts(runner.cmocka(program)) == (passed, failed)


@pytest.mark.parametrize("word", ["asan-mbedtls", "tests/micropython", "message"])
def test_a_part_of_the_plan_has_all_that_it_needs(runner, monkeypatch, word):
    monkeypatch.setattr(runner, "ROOT", ROOT)
    monkeypatch.setattr(runner, "BUILD", ROOT / "build")
    jobs = runner.plan([word])
    names = {job.name for job in jobs}
    assert any(word in name for name in names)
    assert all(need in names for job in jobs for need in job.needs)


def test_a_program_that_hangs_is_ended_and_fails(runner, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "SUITE_SECONDS", 0.2)
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nsleep 600\n")
    program.chmod(0o755)
    assert counts(runner.cmocka(program)) == (0, 1)


@pytest.mark.parametrize("body, passed, failed", [
    ("def test_a(): pass", 1, 0),
    ("def test_a(): assert 0\ndef test_b(): pass", 1, 1),
    ("import pytest\ndef test_a(): pytest.skip()", 0, 1),
    ("import pytest\n@pytest.fixture\ndef f():\n    yield\n    assert 0\ndef test_a(f): pass", 0, 1),
    ("import absent", 0, 1),
    ("", 0, 1),
    ("import os\ndef test_a(): os._exit(0)", 0, 1),
])
def test_cases_of_a_pytest_area_are_counted(runner, tmp_path, body, passed, failed):
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "venv/bin/python").chmod(0o755)
    (tmp_path / "area").mkdir()
    (tmp_path / "area/test_x.py").write_text(body + "\n")
    assert counts(runner.pytest("area")) == (passed, failed)


def test_a_suite_that_cannot_be_started_fails_and_the_others_go_on(runner, tmp_path):
    jobs = [runner.Job("absent", lambda: runner.cmocka(tmp_path / "absent")),
            runner.Job("after", lambda: [runner.Case("after")], ["absent"])]
    assert counts(runner.Runner(jobs).run()) == (1, 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing_behind(tmp_path, number):
    (tmp_path / "tools").mkdir()
    program = tmp_path / "tools/test"
    plan = """def plan(words):
    return [Job("sleeper", lambda: execute(["sh", "-c", "echo $$ > build/pid; exec sleep 600"], 900, BUILD / "log"))]


if __name__"""
    program.write_text((ROOT / "tools/test").read_text().replace("if __name__", plan))
    run = subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE)
    sleeper = wait_for_number(tmp_path / "build/pid")
    run.send_signal(number)
    assert run.wait(60) == 128 + number
    assert is_over(sleeper)
