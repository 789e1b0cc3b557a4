"""How the pages become a site: `tox -e docs`, or `python -m sphinx -W --keep-going -c docs .
build/site`.

The repository itself is the source folder, so that a link from docs/ to README.md, CONTRIBUTING.md
or a committed run is one link, which leads somewhere in the repository and on the site alike.
"""

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

project = "bench"
copyright = "the vad-bench developers; MIT licence"
version = release = version_of("vad-bench")

extensions = ["myst_parser", "generated"]
source_suffix = {
    ".md": "markdown",
    ".ipynb": "markdown",
}  # generated.py makes Markdown of a notebook
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/*.md",
    "docs/*.ipynb",
    "results/README.md",
    "results/ped2-small/README.md",
    "results/ped2-medium/README.md",
    "results/ped2-large/README.md",
    "results/partial-small/README.md",
    "results/search-medium/README.md",
    "results/batch-statistics/README.md",
]
# Not even looked through: environments, data and caches may be large.
exclude_patterns = [".*", "*venv*", "build", "data", "dist", "results/*/cells"]

nitpicky = True
myst_heading_anchors = 4
highlight_language = "text"

html_theme = "furo"
html_title = "bench"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {"top_of_page_buttons": []}
html_copy_source = html_show_sourcelink = html_use_index = False
html_show_sphinx = False

linkcheck_timeout = 20
linkcheck_retries = 2
