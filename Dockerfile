# One image for the four services and the operator's verbs; the command chooses.
FROM python:3.11.17-slim AS build
ENV PYTHONDONTWRITEBYTECODE=1
WORKDIR /srv/earshot
COPY requirements.lock ./
# Hashes and wheels only: nothing is compiled, nothing but the lock decides.
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements.lock
COPY services ./services
COPY shared ./shared
COPY migrations ./migrations
COPY programme ./programme
# The root file system is read-only where it runs, so byte code is written here.
RUN /opt/venv/bin/python -m compileall -q services shared migrations

FROM python:3.11.17-slim
LABEL org.opencontainers.image.title="Earshot" \
      org.opencontainers.image.description="Event-driven feedback microservices" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
RUN groupadd --gid 10001 earshot \
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
