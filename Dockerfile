# syntax=docker/dockerfile:1
# `make image` packs the same /app without Docker, on a base of its own: see docs/install.md.
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json ./
COPY scripts ./scripts
COPY src ./src
RUN node scripts/build.mts

FROM gcr.io/distroless/nodejs24-debian13:nonroot
COPY --from=build /src/dist/rollback-operator.mjs /app/rollback-operator.mjs
COPY --from=build /src/dist/rollback-operator /app/rollback-operator
COPY LICENSE /app/LICENSE
# What these save: docs/decisions/0011-memory.md. bin/rollback-operator has the same.
ENV MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=65536
USER 65532:65532
ENTRYPOINT ["/nodejs/bin/node", "--max-semi-space-size=2", "--optimize-for-size", "--no-opt", "--no-maglev", "/app/rollback-operator.mjs"]
CMD ["controller"]
