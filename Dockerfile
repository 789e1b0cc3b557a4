# bench on the CPU: docker build -t vad-bench . && docker run -v "$PWD:/work" vad-bench doctor
FROM python:3.11-slim
# OpenCV loads both.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*
COPY requirements.lock /tmp/
# torch of PyPI has CUDA in it; with TORCH_INDEX, the index of its CPU builds, the image is a third.
ARG TORCH_INDEX=""
RUN grep -E '^torch(vision)?==' /tmp/requirements.lock > /tmp/torch.txt \
    && pip install --no-cache-dir --no-deps ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} -r /tmp/torch.txt \
    && pip install --no-cache-dir -r /tmp/requirements.lock
COPY . /src
RUN pip install --no-cache-dir --no-deps /src && rm -rf /src
WORKDIR /work
ENTRYPOINT ["bench"]
CMD ["--help"]
