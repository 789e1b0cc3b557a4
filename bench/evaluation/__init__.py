"""From the scores of a run to numbers: metrics, intervals and paired tests for each row."""
