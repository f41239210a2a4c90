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
        assert len(rates) == 4 and all(int(rate) > 0 for rate in rates), table


def test_the_loader_has_sessions_with_every_server_that_speaks_dtls():
    table = run("bench/secure", "0.2", "20")
    for server in ("copal", "libcoap"):
        spent, _, rate, _ = map(float, re.search(rf"^{server} +20 +(\S+) +(\S+) +(\S+) +(\S+)$", table, re.MULTILINE).groups())
        assert spent > 0 and rate > 0, table


def test_the_watcher_registers_and_is_told_of_changes_by_every_server():
    table = run("bench/observers", "20")
    for server in ("copal", "libcoap"):
        observers, registered, told = map(int, re.search(rf"^{server} +(\d+) +(\d+) +(\d+) ", table, re.MULTILINE).groups())
        assert observers == registered == 20 and told >= 20, table


def test_a_get_takes_less_than_1100_instructions_alone_and_1400_among_others():
    table = run("bench/instructions", "copal")
    alone, crowd = re.fullmatch(r"copal +(\d+) instructions for a GET +(\d+) at 8 x 16 outstanding\n", table).groups()
    assert int(alone) < 1100 and int(crowd) < 1400


def test_the_core_is_under_46_kilobytes_of_thumb_2_and_a_server_and_client_under_38():
    table = run("bench/size")
    assert int(re.search(r"^core +(\d+)$", table, re.MULTILINE)[1]) < 46 * 1024
    linked = [int(octets) for octets in re.findall(r"^of it in +(\d+) ", table, re.MULTILINE)]
    assert linked[0] < 38 * 1024 and linked[1] < linked[0] and linked[2] < linked[0]
