"""Everything made from a run folder alone: results, tables, LaTeX."""
