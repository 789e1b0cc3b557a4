"""The forms of a table: text, Markdown, LaTeX, HTML, and LaTeX commands of its numbers."""
