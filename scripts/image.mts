/**
 * Packs the operator as an OCI archive without Docker: build/image.tar, `rollback-operator:dev`. The base differs from
 * the Dockerfile's: this Node and the shared libraries it needs, instead of distroless.
 */
import { writeNodeImage } from "../test/cluster/image.ts";
import { operatorImage } from "./operator-image.ts";

const output = "build/image.tar";
const name = "docker.io/library/rollback-operator:dev";
await writeNodeImage(operatorImage(name), output);
console.log(`${output}: ${name}`);
