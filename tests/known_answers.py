"""Known answers: real scores under each protocol, computed with scipy and scikit-learn alone; and
the clips they are of.

MemAE and DDL's public code: scores of this project's data folder. DMAD (CVPR 2023) and SVD-GAN:
scores that their authors published, so that a number here can be compared with what others compute
from the same files.
"""

import numpy as np
from scipy.io import loadmat

from bench.scoring.evaluate import ClipScores

COLUMNS = [
    "raw",
    "minmax",
    "median17",
    "minmax-median17",
    "ddl",
    "gaussian10",
    "macro17",
    "macro17-padded",
    "median17[edge=zero]",
]
# fmt: off
KNOWN = {
    ("memae", "ped2", "frame", "auc"): [0.6958, 0.9341, 0.9169, 0.9393, 0.6952, 0.9306, 0.9737, 0.9788, 0.9344],
    ("memae", "ped2", "frame", "ap"): [0.9256, 0.9874, 0.9841, 0.9884, 0.9256, 0.9868, None, None, 0.9877],
    ("memae", "ped2", "frame", "eer"): [0.4770, 0.1363, 0.1513, 0.1284, 0.4770, 0.1422, None, None, 0.1349],
    ("memae", "avenue", "mat", "auc"): [0.8047, 0.8052, 0.8008, 0.8061, 0.8053, 0.7984, 0.8122, 0.8169, 0.8004],
    ("memae", "avenue", "pixel", "auc"): [0.8074, 0.8099, 0.8041, 0.8106, 0.8072, 0.8006, 0.8511, 0.8634, 0.8075],
    ("ddl-reference", "ped2", "frame", "auc"): [0.9036, 0.9102, 0.9235, 0.9454, 0.9366, 0.9163, 0.9435, 0.9592, 0.9214],
    ("dmad", "ped2", "frame", "auc"): [0.9863, 0.9715, 0.9652, 0.9883, 0.9963, 0.9637, 0.9991, 0.9961, 0.9625],
    ("dmad", "avenue", "mat", "auc"): [0.8912, 0.8311, 0.8710, 0.8541, 0.9105, 0.8760, 0.8406, 0.8447, 0.8706],
    ("dmad", "avenue", "pixel", "auc"): [0.9135, 0.8490, 0.8838, 0.8687, 0.9292, 0.8791, 0.9027, 0.9077, 0.8847],
    ("dmad", "shanghaitech", "frame", "auc"): [0.7793, 0.7832, 0.7830, 0.7836, None, 0.7906, 0.8413, 0.8438, 0.7830],
    ("svd-gan", "avenue", "mat", "auc"): [0.6718, 0.7616, 0.7603, 0.7637, 0.6718, 0.7621, 0.7872, 0.7914, 0.7599],
    ("svd-gan", "avenue", "pixel", "auc"): [0.6507, 0.7496, 0.7479, 0.7503, 0.6514, 0.7478, 0.7844, 0.8040, 0.7450],
    ("svd-gan", "shanghaitech", "frame", "auc"): [0.6771, 0.6725, 0.6715, 0.6737, None, 0.6756, 0.7656, 0.7722, 0.6743],
}
# fmt: on
FIRST = {"memae": 8, "ddl-reference": 1, "dmad": 4, "svd-gan": 0}
"""The frame that the first score of a clip belongs to."""
FRAMES = {
    ("memae", "ped2", "frame"): (1830, 1526),
    ("memae", "avenue", "mat"): (15009, 3865),
    ("memae", "avenue", "pixel"): (15009, 3639),
    ("ddl-reference", "ped2", "frame"): (1986, 1632),
    ("dmad", "ped2", "frame"): (1962, 1620),
    ("dmad", "avenue", "mat"): (15240, 3867),
    ("dmad", "avenue", "pixel"): (15240, 3700),
    ("dmad", "shanghaitech", "frame"): (40363, 17284),
    ("svd-gan", "avenue", "mat"): (15324, 3867),
    ("svd-gan", "avenue", "pixel"): (15324, 3712),
    ("svd-gan", "shanghaitech", "frame"): (40791, 17326),
}
MACRO_CLIPS = {
    ("memae", "ped2", "frame"): 7,
    ("memae", "avenue", "mat"): 21,
    ("memae", "avenue", "pixel"): 19,
    ("dmad", "ped2", "frame"): 8,
    ("ddl-reference", "ped2", "frame"): 8,
    ("dmad", "avenue", "mat"): 21,
    ("dmad", "avenue", "pixel"): 19,
    ("dmad", "shanghaitech", "frame"): 106,
}


def real_clips(folder, source, dataset, label_set):
    if dataset == "ped2":
        ranges = loadmat(folder / "ped2" / "ped2.mat")["gt"][0].tolist()
        lengths = [180, 180, 150, 180, 150, 180, 180, 180, 120, 150, 180, 180]
        labels = {}
        for number, (found, length) in enumerate(zip(ranges, lengths), start=1):
            labels[f"{number:02d}"] = np.zeros(length, dtype=int)
            for first, last in np.asarray(found, dtype=int).reshape(2, -1).T:
                labels[f"{number:02d}"][first - 1 : last] = 1
    elif dataset == "shanghaitech":
        masks = sorted((folder / "shanghaitech" / "testing" / "test_frame_mask").glob("*.npy"))
        labels = {path.stem: np.load(path).astype(int) for path in masks}
    else:
        with np.load(folder / "avenue" / "labels" / f"{label_set}.npz") as file:
            labels = {key: file[key].astype(int) for key in file.files}
    first = FIRST[source]
    with np.load(folder / "scores" / source / f"{dataset}.npz") as file:
        return [
            ClipScores(clip, "", file[clip], first + np.arange(len(file[clip])), labels[clip])
            for clip in file.files
        ]
