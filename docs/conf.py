"""How Sphinx builds this documentation: ``make docs``, offline, warnings are errors."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

import darkscan

project = "darkscan"
author = "the darkscan developers"
version = release = darkscan.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "from_code"]
smartquotes = False  # keys and values are quoted as they are typed
templates_path = ["templates"]

myst_enable_extensions = ["colon_fence", "attrs_inline"]
myst_heading_anchors = 4
suppress_warnings = ["misc.highlighting_failure"]  # GLSL, jq and the like in examples

autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_default_options = {
    "members": True,
    "member-order": "bysource",
    "exclude-members": "model_config, model_post_init",
}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
add_module_names = False
maximum_signature_line_length = 88

html_theme = "furo"
html_title = f"darkscan {version}"
html_static_path = ["static"]
html_css_files = ["darkscan.css"]
html_show_sphinx = False
html_show_copyright = False
