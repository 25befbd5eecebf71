# docker build --target cpu|cuda|serving: see docs/containers.md

ARG PYTHON=3.12
ARG SERVING=2.19.1

FROM python:${PYTHON}-slim AS base
WORKDIR /opt/keras-simmim
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY keras_simmim keras_simmim
COPY examples examples
RUN useradd --create-home --uid 1000 simmim && mkdir /work && chown simmim /work
ENV PIP_NO_CACHE_DIR=1

FROM base AS cpu
ARG BACKEND=tensorflow
# Where BACKEND=torch is to come without CUDA: the address of PyTorch's own builds.
ARG PIP_EXTRA_INDEX_URL
RUN case "${BACKEND}" in \
        tensorflow) pip install --constraint constraints.txt ".[evaluation,examples]" ;; \
        jax) pip install --constraint constraints.txt ".[jax,evaluation,examples]" ;; \
        torch) pip install --constraint constraints.txt ".[torch,evaluation,examples]" ;; \
        *) echo "BACKEND must be tensorflow, jax or torch, got ${BACKEND}" && exit 1 ;; \
    esac
ENV KERAS_BACKEND=${BACKEND}
USER 1000
WORKDIR /work
CMD ["python"]

# CUDA comes with the packages, the driver from the host.
FROM base AS cuda
ARG BACKEND=tensorflow
RUN case "${BACKEND}" in \
        tensorflow) pip install --constraint constraints.txt ".[cuda,evaluation,examples]" ;; \
        jax) pip install --constraint constraints.txt ".[jax,evaluation,examples]" "jax[cuda12]" ;; \
        torch) pip install --constraint constraints.txt ".[torch,evaluation,examples]" ;; \
        *) echo "BACKEND must be tensorflow, jax or torch, got ${BACKEND}" && exit 1 ;; \
    esac
ENV KERAS_BACKEND=${BACKEND}
USER 1000
WORKDIR /work
CMD ["python"]

# MODEL is a folder that `ks.export.export_saved_model` wrote, within the build's context.
FROM tensorflow/serving:${SERVING} AS serving
ARG MODEL
ARG NAME=model
COPY ${MODEL} /models/${NAME}
ENV MODEL_NAME=${NAME}
EXPOSE 8500 8501
