"""Datasets with known folders, clips, labels and masks: finding, reading and comparing them."""

from .dataset import PublishedDataset as PublishedDataset
from .finding import VideoParameters as VideoParameters
from .finding import numbered as numbered
from .labels import LabelSource as LabelSource
from .official_files import official_files as official_files
