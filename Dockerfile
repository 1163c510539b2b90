# An image of the server. In a checkout: docker build -t kms-tornado .
# docs/deploying.md tells how to run it. It is configured by variables (KMS_JWT_ISSUER_URI=…) or by a file
# (KMS_CONFIG=…), so that the health check reads the same as the server.

FROM python:3.13-slim AS build
WORKDIR /build
COPY setup.py README.md LICENSE ./
COPY kms_tornado kms_tornado
RUN python3 -m venv /opt/kms-tornado/venv \
    && /opt/kms-tornado/venv/bin/pip install --no-cache-dir '.[fast,postgresql]'

FROM python:3.13-slim
# A number, as Kubernetes' runAsNonRoot can judge no name.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/kms-tornado --shell /usr/sbin/nologin kms-tornado \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/kms-tornado
COPY --from=build /opt/kms-tornado /opt/kms-tornado
# Nothing else is written to: the root may be read-only.
VOLUME /var/lib/kms-tornado
ENV PATH=/opt/kms-tornado/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    KMS_HOSTNAME=0.0.0.0 \
    KMS_DATA_DIR=/var/lib/kms-tornado
# HTTP, and KMIP over TLS with KMS_KMIP_PORT=5696.
EXPOSE 9998 5696
USER 10001:10001
# Whether it lives, not whether its issuer does: an orchestrator that restarts it for that would help nobody.
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["kms-tornado", "health"]
ENTRYPOINT ["kms-tornado"]
