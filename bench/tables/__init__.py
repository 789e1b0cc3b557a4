"""The tables of a run, and their forms: text, Markdown, LaTeX and HTML."""
