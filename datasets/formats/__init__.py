"""Forms of files, shared by the datasets: folders of clips, labels and masks. Nothing is evaluated,
and no pickle is ever loaded.
"""
