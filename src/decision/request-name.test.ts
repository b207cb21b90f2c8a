import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { automaticRequestName } from "./request-name.ts";

const identity = {
  targetUid: "5c0b0f5e-9a8e-4f5d-8d5a-2f6e0c1b7a11",
  targetName: "llm-research-api",
  replicaSetUid: "0d9a2c3e-51a2-4d35-9a0e-6c7f0f5e9a8e",
  revision: 8,
  attempt: 1,
};

describe("automaticRequestName", () => {
  it("is readable, and the same for the same identity", () => {
    expect(automaticRequestName(identity)).toMatch(/^llm-research-api-r8-[0-9a-f]{16}$/);
    expect(automaticRequestName({ ...identity })).toBe(automaticRequestName(identity));
  });

  it.each([{ targetUid: "other" }, { replicaSetUid: "other" }, { revision: 9 }, { attempt: 2 }])(
    "differs with %p",
    (change) => {
      expect(automaticRequestName({ ...identity, ...change })).not.toBe(automaticRequestName(identity));
    },
  );

  it("is always a DNS label of at most 63 characters", () => {
    fc.assert(
      fc.property(
        fc.string({ maxLength: 300 }),
        fc.nat(),
        fc.integer({ min: 0, max: 99 }),
        (name, revision, attempt) => {
          const text = automaticRequestName({ ...identity, targetName: name, revision, attempt });
          expect(text).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
        },
      ),
    );
  });
});
