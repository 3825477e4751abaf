# The Action's image, and the bot's. No WORKDIR and no USER: GitHub mounts its folders as root and sets its own workdir.
# The bot is run as `bot`, with `--user 65532:65532`: /data is that user's.
# python:3.13-slim, by its digest; CONTRIBUTING.md says how to raise it.
ARG BASE=python:3.13-slim@sha256:7c61056e61ac89e852de05f3dc6fa51a6dd2181797bceed46aa725dd7cb2cd3b

FROM ${BASE} AS build
RUN python -m venv --without-pip /opt/prompt-verdict && python -m venv /build/tools
COPY requirements/uv.txt requirements/build.txt requirements/runtime.txt /build/requirements/
RUN /build/tools/bin/python -m pip install --quiet --no-cache-dir --disable-pip-version-check \
        --require-hashes -r /build/requirements/uv.txt \
    && /build/tools/bin/uv pip install --quiet --no-cache --compile-bytecode --python /opt/prompt-verdict/bin/python \
        --require-hashes -r /build/requirements/runtime.txt \
    && find /opt/prompt-verdict/lib -type d -name tests -prune -exec rm -rf {} +
# What .dockerignore lets through, and nothing else.
COPY . /build/source/
RUN /build/tools/bin/uv pip install --quiet --no-cache --compile-bytecode --python /opt/prompt-verdict/bin/python \
        --no-deps --build-constraints /build/requirements/build.txt /build/source

FROM ${BASE}
LABEL org.opencontainers.image.title="Prompt Verdict" \
      org.opencontainers.image.description="Measures what a pull request does to your prompts" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN command -v git >/dev/null || { apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends git ca-certificates >/dev/null \
    && rm -rf /var/lib/apt/lists/*; }
RUN install -d -o 65532 -g 65532 -m 700 /data
COPY --from=build /opt/prompt-verdict /opt/prompt-verdict
ENV PATH=/opt/prompt-verdict/bin:$PATH PYTHONDONTWRITEBYTECODE=1
ENTRYPOINT ["python", "-I", "-u", "-m", "action"]
