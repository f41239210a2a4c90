"""The manual page and --help tell of the same options."""
import re

from support.process import ROOT, copal

PAGE = (ROOT / "docs/man/copal.1").read_text().replace("\\-", "-")


def test_the_manual_page_has_every_option_and_no_other():
    listed = copal("help").stdout.decode().partition("commands:\n")[2].partition("\n\n")[0]
    commands = re.findall(r"^  (\w+) ", listed, re.MULTILINE)
    assert len(commands) == 13
    helped = {"--help", "--version"}
    for command in commands:
        assert re.search(rf"\.B copal {command}\n", PAGE), command
        helped |= set(re.findall(r"^  .{3} (--[a-z-]+)", copal("help", command).stdout.decode(), re.MULTILINE))
    assert helped >= {"--non", "--timeout", "--resource", "--count"}
    assert set(re.findall(r"--[a-z][a-z-]*", PAGE)) - {"--help"} == helped - {"--help"}


def test_the_manual_page_is_of_this_version():
    version = copal("--version").stdout.decode().strip()
    assert f'.TH COPAL 1 "" "{version}" ' in PAGE


def test_the_manual_page_has_every_exit_status():
    section = PAGE.partition(".SH EXIT STATUS")[2].partition(".SH")[0]
    assert re.findall(r"^\.B (\d)$", section, re.MULTILINE) == ["0", "1", "2", "3"]
