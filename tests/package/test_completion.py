"""Completion in bash, zsh and fish offers what the tool has, and nothing else."""
import os
import pty
import re
import shlex
import subprocess

import pytest

from support.process import ROOT, SECONDS, build, copal

SCRIPTS = ROOT / "tool/completion"
FORMATS = ["cbor", "json", "json-patch+json", "link-format", "merge-patch+json", "octet-stream", "senml+cbor", "senml+json",
           "text", "xml"]


def run(command, cwd, **environment):
    kept = os.environ | {"PATH": f"{build()}:{os.environ['PATH']}", "HOME": str(cwd), "TERM": "dumb"} | environment
    done = subprocess.run(command, cwd=cwd, env=kept, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    return done.stdout


def bash(words, cwd):
    quoted = " ".join(shlex.quote(word) for word in words)
    script = f"""source {SCRIPTS}/copal.bash
        COMP_WORDS=({quoted}) COMP_CWORD={len(words) - 1}
        _copal copal "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}"
        printf '%s\\n' "${{COMPREPLY[@]}}" """
    return run(["bash", "--norc", "-c", script], cwd).split()


def fish(words, cwd):
    line = " ".join(words)
    out = run(["fish", "--no-config", "-c", f"source {SCRIPTS}/copal.fish; complete --do-complete={shlex.quote(line)}"],
              cwd, XDG_CONFIG_HOME=str(cwd / "config"), XDG_DATA_HOME=str(cwd / "data"))
    return [entry.split("\t")[0] for entry in out.splitlines()]


ZSH = """
PS1=ready
fpath=({functions} $fpath)
autoload -Uz compinit && compinit -u -D
compadd() {{
    local -a hits
    if [[ " ${{@[1,(i)--]}} " != *' -'[OAD]' '* ]]; then
        builtin compadd -A hits "$@"
        print -rl -- $hits >>{out}
    fi
    builtin compadd "$@"
}}
"""


def zsh(words, cwd):
    """Types the words at a prompt and a tab behind them; what is offered is written down as it is handed to zsh."""
    functions, out = cwd / "functions", cwd / "offered"
    functions.mkdir()
    (functions / "_copal").symlink_to(SCRIPTS / "copal.zsh")
    (cwd / ".zshrc").write_text(ZSH.format(functions=functions, out=out))
    out.touch()
    main, terminal = pty.openpty()
    kept = os.environ | {"PATH": f"{build()}:{os.environ['PATH']}", "ZDOTDIR": str(cwd), "TERM": "dumb"}
    shell = subprocess.Popen(["zsh", "-d", "-i"], cwd=cwd, env=kept, stdin=terminal, stdout=terminal, stderr=terminal,
                             start_new_session=True)
    os.close(terminal)

    shown, typed = b"", False
    try:
        while octets := os.read(main, 4096):
            shown += octets
            if not typed and b"ready" in shown:  # earlier the terminal itself would take the control characters
                os.write(main, " ".join(words).encode() + b"\t\x15exit\n")
                typed = True
    except OSError:
        pass  # the terminal ends with the shell
    assert shell.wait(SECONDS) == 0
    os.close(main)
    return out.read_text().split()


SHELLS = pytest.mark.parametrize("shell", [bash, zsh, fish])
COMMANDS = re.findall(r"^  ([a-z]+) +[A-Z]", copal("help").stdout.decode(), re.MULTILINE)


@SHELLS
def test_the_commands_are_offered(shell, tmp_path):
    assert sorted(set(shell(["copal", ""], tmp_path)) - {"--help", "--version"}) == sorted(COMMANDS)


@SHELLS
def test_help_takes_a_command(shell, tmp_path):
    assert sorted(shell(["copal", "help", ""], tmp_path)) == sorted(COMMANDS)


@SHELLS
@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "help"])
def test_the_options_are_those_of_the_tool(shell, command, tmp_path):
    listed = re.findall(r"^  .{3} (--[a-z-]+)", copal("help", command).stdout.decode(), re.MULTILINE)
    assert sorted(shell(["copal", command, "--"], tmp_path)) == sorted(listed) != []


@SHELLS
@pytest.mark.parametrize("option", ["-a", "--accept"])
def test_formats_are_offered_where_one_is_wanted(shell, option, tmp_path):
    assert sorted(shell(["copal", "get", option, ""], tmp_path)) == FORMATS


@pytest.mark.parametrize("name", FORMATS)
def test_the_tool_knows_each_format_that_is_offered(name):
    assert "--port" in copal("serve", "--resource", f"a=;ct={name}", "--port", "x").stderr


@SHELLS
@pytest.mark.parametrize("words, offered", [(["put", "--file"], {"data.json", "folder"}), (["serve", "--dir"], {"folder"})])
def test_files_and_directories_are_offered_where_they_are_wanted(shell, words, offered, tmp_path):
    (tmp_path / "place/folder").mkdir(parents=True)
    (tmp_path / "place/data.json").touch()
    found = shell(["copal", *words, "place/"], tmp_path)
    assert {name.strip("/").removeprefix("place/") for name in found} == offered


@SHELLS
def test_nothing_is_offered_where_only_the_user_knows(shell, tmp_path):
    assert shell(["copal", "get", "--timeout", ""], tmp_path) == []


def test_bash_completes_behind_an_equals_sign(tmp_path):
    assert bash(["copal", "get", "--accept", "=", "js"], tmp_path) == ["json", "json-patch+json"]
    assert sorted(bash(["copal", "get", "--accept", "="], tmp_path)) == FORMATS
