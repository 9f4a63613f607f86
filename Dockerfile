# One image for the four services and the operator's verbs; the command chooses.
# By digest: docker build --build-arg PYTHON=python:3.11.17-slim-trixie@sha256:… .
ARG PYTHON=python:3.11.17-slim-trixie

FROM ${PYTHON} AS build
ENV PYTHONDONTWRITEBYTECODE=1
WORKDIR /srv/earshot
COPY requirements-image.lock ./
# Hashes and wheels only: nothing is compiled, nothing but the lock decides. pip stays behind.
RUN python -m venv --without-pip /opt/venv \
 && pip --python /opt/venv/bin/python install --no-cache-dir --no-deps --require-hashes --only-binary :all: -r requirements-image.lock \
 && rm requirements-image.lock
# A sixth of it is never called: the wheels' own tests, and Arrow's Flight.
RUN find /opt/venv -depth -type d -name tests -exec rm -rf {} + \
 && find /opt/venv -path '*/pyarrow/*' -name '*flight*' -exec rm -rf {} +
COPY services ./services
COPY shared ./shared
COPY migrations ./migrations
COPY programme ./programme
# The root file system is read-only where it runs, so byte code is written here.
RUN /opt/venv/bin/python -m compileall -q services shared migrations

FROM ${PYTHON}
LABEL org.opencontainers.image.title="Earshot" \
      org.opencontainers.image.description="Event-driven feedback microservices" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
# Nothing installs anything here any more; a volume on the folder takes its owner from it.
RUN rm -rf /usr/local/lib/python3.11/site-packages /usr/local/lib/python3.11/ensurepip /usr/local/bin/pip* \
 && groupadd --gid 10001 earshot \
 && useradd --uid 10001 --gid 10001 --home-dir /var/lib/earshot --create-home --shell /usr/sbin/nologin earshot
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv/earshot /srv/earshot
# Beyond loopback a service asks for keys and refuses to start without them.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    EARSHOT_HOST=0.0.0.0 \
    EARSHOT_VAR=/var/lib/earshot \
    HEALTH_URL=http://127.0.0.1:8001/healthz
WORKDIR /srv/earshot
USER 10001:10001
EXPOSE 8001 8002 8003 8004
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(os.environ['HEALTH_URL'], timeout=3)"]
CMD ["python", "-m", "services.ingest"]
