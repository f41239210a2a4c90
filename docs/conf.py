"""How Sphinx builds the documentation: `make docs`."""
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = ROOT / "build/docs"

project = "copal"
author = "the copal authors"
copyright = "2026, the copal authors"
version = release = re.search(r"project\(copal VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text())[1]

extensions = ["myst_parser", "breathe", "sphinx.ext.autodoc"]
exclude_patterns = ["man", "requirements.txt"]
html_theme = "furo"
html_title = f"copal {version}"
highlight_language = "none"
myst_heading_anchors = 3
nitpicky = False

# The headers are read by Doxygen, whose XML Breathe turns into pages.
BUILD.mkdir(parents=True, exist_ok=True)
subprocess.run(["doxygen", "-"], check=True, text=True, cwd=ROOT, input=f"""
    INPUT = include/copal
    STRIP_FROM_INC_PATH = include
    OUTPUT_DIRECTORY = {BUILD}
    GENERATE_HTML = NO
    GENERATE_LATEX = NO
    GENERATE_XML = YES
    OPTIMIZE_OUTPUT_FOR_C = YES
    EXTRACT_ALL = YES
    JAVADOC_AUTOBRIEF = YES
    MACRO_EXPANSION = YES
    QUIET = YES
    WARNINGS = NO
""")
breathe_projects = {"copal": str(BUILD / "xml")}
breathe_default_project = "copal"
breathe_domain_by_extension = {"h": "c"}
suppress_warnings = ["duplicate_declaration.c", "myst.xref_missing", "misc.highlighting_failure"]

# The package's Python needs no building to be read, but for its part in C.
sys.path.insert(0, str(ROOT / "bindings/python"))
autodoc_mock_imports = ["copal._copal"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
