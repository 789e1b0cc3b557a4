"""Speed, as ratios against plain implementations that stand here, measured in the same run (`python
-m benchmarks --help`).
"""
