# The identifier: names, gallery, memory, REST API. Its models (photos are enrolled here) are in the volume /models.
ARG BASE_IMAGE=python:3.11-slim-bookworm

# The project's own wheel.
FROM ${BASE_IMAGE} AS wheel
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
WORKDIR /src
COPY deploy/docker/build.txt ./
RUN --mount=type=cache,target=/root/.cache/pip,sharing=locked \
    --mount=type=secret,id=pip_conf,target=/root/.config/pip/pip.conf \
    python -m venv /opt/build \
    && /opt/build/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement build.txt
COPY pyproject.toml README.md LICENSE ./
COPY services services
COPY producer producer
COPY consumer consumer
COPY identifier identifier
COPY viewer viewer
COPY autoscaler autoscaler
RUN /opt/build/bin/python -m hatchling build --target wheel --directory /wheels

# Everything that runs, in one folder that has no pip of its own.
FROM ${BASE_IMAGE} AS venv
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
COPY deploy/docker/identifier.txt /tmp/requirements.txt
RUN --mount=type=cache,target=/root/.cache/pip,sharing=locked \
    --mount=type=secret,id=pip_conf,target=/root/.config/pip/pip.conf \
    python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --quiet --disable-pip-version-check --no-deps --require-hashes \
        --requirement /tmp/requirements.txt
COPY --from=wheel /wheels /wheels
RUN pip --python /opt/venv/bin/python install --quiet --disable-pip-version-check --no-cache-dir --no-deps --no-index \
        /wheels/*.whl

FROM ${BASE_IMAGE} AS identifier
RUN --mount=type=bind,source=deploy/docker/strip.py,target=/tmp/strip.py \
    python /tmp/strip.py \
    && groupadd --gid 10001 facestream \
    && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /tmp --shell /usr/sbin/nologin facestream \
    && install --directory --owner=10001 --group=0 --mode=0775 /data /models
COPY deploy/docker/healthcheck.py /opt/healthcheck.py
COPY --from=venv /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH \
    HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    LOG_FORMAT=json \
    METRICS_HOST=0.0.0.0 \
    METRICS_PORT=9100 \
    DATA_DIR=/data \
    MODELS_DIR=/models \
    API_HOST=0.0.0.0
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="facestream-identifier" \
      org.opencontainers.image.description="Puts names to faces; keeps the gallery and the memory; REST API." \
      org.opencontainers.image.source="https://github.com/facestream/facestream" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
USER 10001:10001
WORKDIR /tmp
EXPOSE 5011 9100
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-I", "/opt/healthcheck.py"]
ENTRYPOINT ["facestream"]
CMD ["identifier"]
