"""The public door for type checkers: the names of `NAMES` in `__init__.py`."""

from bench.contracts.clip import Clip as Clip
from bench.contracts.clip import ImageFiles as ImageFiles
from bench.contracts.clip import PassedOver as PassedOver
from bench.contracts.clip import Split as Split
from bench.contracts.clip import VideoFile as VideoFile
from bench.contracts.clip import Window as Window
from bench.contracts.creator import Creator as Creator
from bench.contracts.dataset import Dataset as Dataset
from bench.contracts.dataset import DatasetInfo as DatasetInfo
from bench.contracts.dataset import Finding as Finding
from bench.contracts.detector import Detector as Detector
from bench.contracts.executor import Event as Event
from bench.contracts.executor import Executor as Executor
from bench.contracts.method import Context as Context
from bench.contracts.method import FrameFormat as FrameFormat
from bench.contracts.method import Method as Method
from bench.contracts.method import MethodInfo as MethodInfo
from bench.contracts.method import OpenClip as OpenClip
from bench.contracts.method import PublishedAUC as PublishedAUC
from bench.contracts.method import Scores as Scores
from bench.contracts.method import ascend_within as ascend_within
from bench.contracts.metric import Metric as Metric
from bench.contracts.network_method import NetworkMethod as NetworkMethod
from bench.contracts.observer import Observer as Observer
from bench.contracts.parameters import parameter as parameter
from bench.contracts.protocol import Protocol as Protocol
from bench.contracts.released_weights import ReleasedWeights as ReleasedWeights
from bench.contracts.released_weights import read_pretrained as read_pretrained
from bench.contracts.tracks import Tracks as Tracks
from bench.errors import BenchError as BenchError
from bench.errors import DataError as DataError
from bench.errors import DidNotLearn as DidNotLearn
from bench.errors import MethodError as MethodError
from bench.errors import RequestError as RequestError
from bench.errors import RunError as RunError
from bench.files.arrays import load_npy as load_npy
from bench.files.arrays import load_npz as load_npz
from bench.files.arrays import load_rows as load_rows
from bench.files.cache import cache_folder as cache_folder
from bench.files.download import Download as Download
from bench.files.download import PretrainedWeights as PretrainedWeights
from bench.files.matlab import load_mat as load_mat
from bench.frames.decode import count_frames as count_frames
from bench.frames.decode import read_frames as read_frames
from bench.frames.folders import VIDEO_ENDINGS as VIDEO_ENDINGS
from bench.frames.folders import FolderContent as FolderContent
from bench.frames.folders import Media as Media
from bench.frames.folders import look_into as look_into
from bench.frames.frame_names import natural_order as natural_order
from bench.frames.image_files import numbered_images as numbered_images
from bench.plugins.hookspecs import hookimpl as hookimpl
from bench.plugins.selection import make_creators as make_creators
from bench.reporting.loaded_run import load as load
from bench.running.python_api import run as run
from bench.scoring.arrays import score as score

NAMES: dict[str, dict[str, str]]
__version__: str
__all__: list[str]
