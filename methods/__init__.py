"""The methods of the comparison, registered through the same hooks as anyone else's."""

from bench import Creator, Method, hookimpl

from .ae_3d import AE3D, RandomNetwork
from .ae_conv2d import AEConv2D
from .ae_conv3d import AEConv3D
from .ae_convlstm import AEConvLSTM
from .background import Background, ForegroundArea
from .c3dsu import DistinctionC3DSU, DistinctionUNet, PlainC3DSU, PlainUNet, StaticC3DSU, StaticUNet
from .features_knn import FeaturesKNN
from .lntra import STEAL, LNTRAPatch, LNTRASkip, PseudoBound
from .memae import MemAE
from .mnad import MNAD
from .optical_flow import OpticalFlow
from .pca import PCA
from .pseudo_anomalies.fusion import Fusion
from .pseudo_anomalies.noise import Noise
from .pseudo_anomalies.objects import Objects
from .pseudo_anomalies.patch import Patch
from .pseudo_anomalies.repeat import Repeat
from .pseudo_anomalies.skip import Skip
from .published import MAMC, C2Net
from .regions import ReadRegions
from .scores import ReadScores
from .sparse_coding import TSC, StackedRNN
from .st_ae import SpatioTemporalAE
from .trivial import ClipPosition, Constant, FrameDifference, FrameIndex


@hookimpl
def bench_methods() -> list[type[Method]]:
    """Offer the methods that come with bench."""
    return [
        AEConv2D,
        AEConv3D,
        AEConvLSTM,
        SpatioTemporalAE,
        AE3D,
        MemAE,
        MNAD,
        TSC,
        StackedRNN,
        LNTRASkip,
        LNTRAPatch,
        STEAL,
        PseudoBound,
        DistinctionC3DSU,
        StaticC3DSU,
        PlainC3DSU,
        DistinctionUNet,
        StaticUNet,
        PlainUNet,
        Background,
        ForegroundArea,
        PCA,
        OpticalFlow,
        FeaturesKNN,
        MAMC,
        C2Net,
        ReadScores,
        ReadRegions,
        Constant,
        FrameIndex,
        ClipPosition,
        FrameDifference,
        RandomNetwork,
    ]


@hookimpl
def bench_creators() -> list[type[Creator]]:
    """Offer the creators that come with bench."""
    return [Objects, Skip, Repeat, Patch, Noise, Fusion]
