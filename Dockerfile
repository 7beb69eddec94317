# Two images of georoads, neither of which runs as root. In the folder of the source:
#
#   docker build -t georoads .                      # the light core: extract, vectorize, score, diff, view
#   docker build -t georoads:cuda --target cuda .   # with torch for NVIDIA GPUs: train and evaluate, too
#
#   docker run --rm -v "$PWD:/data" --user "$(id -u):$(id -g)" georoads extract scene.tif -o roads.gpkg
#   docker run --rm --gpus all -v "$PWD:/data" --user "$(id -u):$(id -g)" georoads:cuda extract scene.tif -o roads.gpkg

ARG PYTHON=3.12

FROM python:${PYTHON}-slim AS build
WORKDIR /src
COPY . .
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

# What both have: a system library, and a user. What numba compiles at the first run is kept in /var/cache/numba.
FROM python:${PYTHON}-slim AS core
# rasterio's wheels take this one library from the system.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libexpat1 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 1000 roads && mkdir /data && chown roads /data
ENV NUMBA_CACHE_DIR=/var/cache/numba \
    PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1
RUN mkdir -m 1777 /var/cache/numba
COPY constraints.txt /tmp/constraints.txt
COPY --from=build /wheels /wheels
WORKDIR /data
ENTRYPOINT ["georoads"]
CMD ["--help"]

FROM core AS cuda
# No constraints: they pin torch without CUDA.
RUN python -m pip install "$(echo /wheels/georoads-*.whl)[openvino,train]"
USER roads
# So that no container compiles its loops anew; any user may read and add: docker run --user names the one whose
# files /data holds.
RUN georoads demo --no-browser --quiet -o /tmp/demo && rm -r /tmp/demo && chmod -R a+rwX /var/cache/numba/*

FROM core AS light
RUN python -m pip install -c /tmp/constraints.txt "$(echo /wheels/georoads-*.whl)[openvino]"
USER roads
# So that no container compiles its loops anew; any user may read and add: docker run --user names the one whose
# files /data holds.
RUN georoads demo --no-browser --quiet -o /tmp/demo && rm -r /tmp/demo && chmod -R a+rwX /var/cache/numba/*
