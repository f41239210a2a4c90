# Runs a script and goes on serving after its end, until Ctrl-C, as a board would:
# micropython run.py SCRIPT [ARGUMENT...]
import sys
import time

sys.argv.pop(0)
script = sys.argv[0]
sys.path[0] = script.rpartition("/")[0]
with open(script) as file:
    code = compile(file.read(), script, "exec")
try:
    exec(code, {"__name__": "__main__", "__file__": script})
    while True:
        time.sleep(3600)
except KeyboardInterrupt:
    pass
