# The daemon with the embedded English -> Portuguese profile, as an unprivileged user.
#
#   docker build -t livedub .
#   docker run -p 8080:8080 -p 1935:1935 -e LIVEDUB_SERVE_TOKEN=A-LONG-RANDOM-STRING livedub
#
# Take away what it does not need:
#
#   docker run --read-only --tmpfs /tmp -v livedub:/var/lib/livedub --cap-drop ALL \
#     --security-opt no-new-privileges --memory 8g --pids-limit 1024 ...
#
# It does not start without a token: whoever reaches port 8080 may create and end sessions (SECURITY.md).
# WebRTC media uses UDP ports that viewers must reach: use --network host, or a TURN server.
#
# Packages are the tested versions, checked against hashes. To have the same base again, name it by its digest:
#
#   docker build --build-arg BASE=python:3.12-slim@sha256:... -t livedub .
ARG BASE=python:3.12-slim
FROM ${BASE} AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE packaging/locked.txt ./
COPY stream stream
COPY stages stages
COPY server server
RUN python -m venv /opt/livedub && pip install --no-cache-dir uv==0.13.9 \
  && uv pip install --no-cache --python /opt/livedub/bin/python --constraint locked.txt '.[embedded,serve]'

FROM ${BASE}
RUN useradd --system --create-home --home-dir /var/lib/livedub livedub
COPY --from=build /opt/livedub /opt/livedub
COPY config.yaml /etc/livedub/config.yaml
ENV PATH=/opt/livedub/bin:$PATH LIVEDUB_CACHE=/var/lib/livedub/cache
USER livedub
WORKDIR /var/lib/livedub
EXPOSE 8080 1935
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD python -c "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"
STOPSIGNAL SIGTERM
ENTRYPOINT ["livedub", "serve", "--config", "/etc/livedub/config.yaml", "--log-json"]
CMD ["--set", "serve.host=0.0.0.0"]
