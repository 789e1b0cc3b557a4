# bench on the CPU: docker build -t vad-bench . && docker run -v "$PWD:/work" vad-bench doctor
FROM python:3.11-slim
# OpenCV loads both.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*
COPY requirements.lock /tmp/
# With TORCH_INDEX, the address of PyTorch's index of CPU builds, nothing of CUDA is installed, and the
# image has a third of the size: docker build --build-arg TORCH_INDEX=... -t vad-bench .
ARG TORCH_INDEX=""
RUN cd /tmp && cp requirements.lock rest.txt \
    && if [ -n "$TORCH_INDEX" ]; then \
        grep -E '^torch(vision)?==' requirements.lock > torch.txt \
        && pip install --no-cache-dir --no-deps --index-url "$TORCH_INDEX" -r torch.txt \
        && grep -vE '^(cuda|nvidia|triton)' requirements.lock > rest.txt; \
    fi \
    && pip install --no-cache-dir -r rest.txt && rm -f *.txt requirements.lock
COPY . /src
RUN pip install --no-cache-dir --no-deps /src && rm -rf /src
WORKDIR /work
ENTRYPOINT ["bench"]
CMD ["--help"]
