# One image for all processes; compose.yaml says which one a container is.
FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install -y --no-install-recommends bubblewrap procps \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 modelyard \
    && install -d -o modelyard /var/lib/modelyard

WORKDIR /app
COPY requirements/base.txt requirements/base.txt
RUN pip install --no-cache-dir --require-hashes -r requirements/base.txt
COPY . .
RUN python -m compileall -q accounts billing marketplace models_catalog runner

ENV PYTHONUNBUFFERED=1 \
    VAR_DIR=/var/lib/modelyard \
    LISTEN_HOST=0.0.0.0
USER modelyard
VOLUME /var/lib/modelyard
EXPOSE 8000

# Alone, without compose: everything in one container, on its own PostgreSQL and Valkey.
CMD ["python", "manage.py", "serve"]
