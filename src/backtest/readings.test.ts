import { describe, expect, it } from "@jest/globals";
import { WHOLE, type Sample } from "../decision/sample.ts";
import type { PastReading, SignalSource } from "../signals/source.ts";
import { readPast } from "./readings.ts";

const OK: Sample = { kind: "Value", value: 0 };
const NO_DATA: Sample = { kind: "NoData", detail: "no series" };
const RANGE = { start: 0, end: 30, stepMs: 15 };
const SUBJECT = { namespace: "shop", desiredReplicas: 1, live: undefined, rollbackTarget: undefined };

function source(...answers: readonly PastReading[]): SignalSource {
  const left = [...answers];
  return {
    unit: "ratio",
    read: async () => ({ kind: "Error", detail: 'Prometheus server "default" answered HTTP 502' }),
    readPast: async () => left.shift() ?? { kind: "Failed" },
  };
}

function read(from: SignalSource) {
  const { signal } = new AbortController();
  return readPast({ name: "error-rate", source: from }, RANGE, SUBJECT, signal);
}

describe("readings of the past", () => {
  it("are those of each instant; what was not told is no data", async () => {
    const past = await read(source({ kind: "Read", parts: new Map([[WHOLE, [{ at: 15, sample: OK }]]]) }));
    expect(past.kind === "Read" && [past.at(0), past.at(15)]).toEqual([
      { kind: "NoData", detail: "nothing was read for this instant" },
      OK,
    ]);
  });

  it("are split by part; a part without a series is none", async () => {
    const parts = new Map([
      [
        "route=/a",
        [
          { at: 0, sample: OK },
          { at: 15, sample: NO_DATA },
        ],
      ],
      ["route=/b", [{ at: 15, sample: OK }]],
    ]);
    const past = await read(source({ kind: "Read", parts }));
    const partsAt = (at: number) => {
      const reading = past.kind === "Read" ? past.at(at) : undefined;
      return reading?.kind === "Split" ? [...reading.parts.keys()] : undefined;
    };
    expect([partsAt(0), partsAt(15), partsAt(30)]).toEqual([["route=/a"], ["route=/b"], []]);
  });

  it("are asked for once more when the server fails", async () => {
    const past = await read(source({ kind: "Failed" }, { kind: "Read", parts: new Map([[WHOLE, []]]) }));
    expect(past.kind).toBe("Read");
  });

  it("say why they cannot be read", async () => {
    await expect(read(source())).rejects.toThrow(
      'signal error-rate could not be read from 1970-01-01T00:00:00Z to 1970-01-01T00:00:00Z: Prometheus server "default" answered HTTP 502',
    );
  });

  it("are not there where nobody keeps them", async () => {
    expect(await read(source({ kind: "NoMemory" }))).toEqual({ kind: "NoMemory" });
  });
});
