import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { rolloutState } from "./rollout-state.ts";
import { deploymentOf } from "./testing/history.ts";

const RELEASES = [{ revision: 2, image: "web:v2" }];
const base = deploymentOf(RELEASES);
const withStatus = (status: object, spec = {}) => ({
  ...deploymentOf(RELEASES, spec),
  status: { ...base.status, ...status },
});

describe("rollout state", () => {
  it.each([
    ["everything is there", {}, {}, true, "2/2 updated, 2/2 available"],
    ["the controller lags", { observedGeneration: 1 }, {}, false, "has not seen the change yet"],
    ["pods are missing", { updatedReplicas: 1 }, {}, false, "1/2 updated"],
    ["old pods are left", { replicas: 3 }, {}, false, "1 old still there"],
    ["pods are not available", { availableReplicas: 1 }, {}, false, "1/2 available"],
    ["it is paused", { updatedReplicas: 0 }, { paused: true }, false, "kubectl rollout resume"],
    [
      "nothing is wanted",
      { replicas: 0, updatedReplicas: 0, availableReplicas: 0 },
      { replicas: 0 },
      true,
      "0/0 updated",
    ],
  ])("when %s", (_, status, spec, complete, message) => {
    const state = rolloutState(withStatus(status, spec));

    expect(state.complete).toBe(complete);
    expect(state.message).toContain(message);
  });

  it("is complete exactly as kubectl says, whatever the conditions are", () => {
    const count = fc.nat({ max: 4 });
    const counts = fc.record({
      observedGeneration: fc.nat({ max: 3 }),
      replicas: count,
      updatedReplicas: count,
      availableReplicas: count,
      conditions: fc.constantFrom(
        [],
        [{ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" }],
      ),
    });
    fc.assert(
      fc.property(counts, (status) => {
        const { observedGeneration, replicas, updatedReplicas, availableReplicas } = status;
        const done =
          observedGeneration >= 2 &&
          updatedReplicas >= 2 &&
          replicas <= updatedReplicas &&
          availableReplicas >= updatedReplicas;

        expect(rolloutState(withStatus(status)).complete).toBe(done);
      }),
    );
  });
});
