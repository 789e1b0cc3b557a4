"""The endings of files that are read as frames, in lower case. Another file is passed over, and
named.
"""

from __future__ import annotations

# fmt: off
IMAGE_ENDINGS = frozenset(
    {
        ".bmp", ".dib", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pam", ".pbm", ".pgm",
        ".png", ".pnm", ".ppm", ".ras", ".sr", ".tif", ".tiff", ".webp",
    }
)
"""Pictures that OpenCV's wheels read with 8 bits a channel."""
VIDEO_ENDINGS = frozenset(
    {
        ".264", ".265", ".3g2", ".3gp", ".asf", ".avc", ".avi", ".dav", ".divx", ".dv",
        ".f4v", ".flv", ".gif", ".h264", ".h265", ".hevc", ".ivf", ".m1v", ".m2p", ".m2t",
        ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mod", ".mov", ".mp4", ".mp4v",
        ".mpe", ".mpeg", ".mpg", ".mpv", ".mts", ".mxf", ".nut", ".ogm", ".ogv", ".qt",
        ".rm", ".tod", ".tp", ".trp", ".ts", ".vob", ".webm", ".wmv", ".wtv", ".xvid",
        ".y4m",
    }
)
"""Videos that FFmpeg reads, whose decoders both OpenCV and PyAV have. What a file is, its content
tells."""
