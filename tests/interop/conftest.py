"""Both scripts of the manual are tested where the manual is."""
from support import manual

collect_ignore = [] if manual.server_script() else ["test_manual_scripts.py"]
