"""The machine: its cores, GPUs and kinds of devices, and how threads wait."""
