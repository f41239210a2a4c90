"""The measurements run and measure something. What must hold on every machine is asserted; rates are not."""
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run(*command):
    result = subprocess.run([ROOT / command[0], *command[1:]], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_loader_gets_right_answers_from_every_server():
    table = run("bench/run", "0.2", "1")
    for server in ("echo", "copal", "libcoap"):
        rates = re.findall(rf"^ +{server} +(\d+) answers/s", table, re.MULTILINE)
        assert len(rates) == 3 and all(int(rate) > 0 for rate in rates), table


def test_a_get_takes_less_than_2000_instructions():
    found = re.fullmatch(r"copal +(\d+) instructions for a GET\n", run("bench/instructions", "copal"))
    assert int(found[1]) < 2000


def test_the_core_is_under_25_kilobytes_of_thumb_2():
    found = re.search(r"^core +(\d+)$", run("bench/size"), re.MULTILINE)
    assert int(found[1]) < 25 * 1024
