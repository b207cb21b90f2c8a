import { describe, expect, it } from "@jest/globals";
import { Batcher, type BatcherOptions } from "./batcher.ts";

type Ask = BatcherOptions<string, number, string>["ask"];

function batcher(ask: Ask, most = Infinity) {
  const asked: (readonly number[])[] = [];
  const options: BatcherOptions<string, number, string> = {
    ask: async (key, members, deliver, signal) => {
      asked.push(members);
      await ask(key, members, deliver, signal);
    },
    keyText: (key) => key,
    most: () => most,
  };
  return { one: new Batcher(options), asked };
}

const { signal } = new AbortController();
const answerAll: Ask = async (key, members, deliver) => {
  for (const member of members) deliver(member, `${key}${member}`);
};

function readAll(one: Batcher<string, number, string>, key: string, members: readonly number[]) {
  return Promise.all(members.map((member) => one.read(key, member, signal)));
}

describe("Batcher", () => {
  it("asks once for all who ask for the same thing, at most so many at a time, one thing after the other", async () => {
    const { one, asked } = batcher(answerAll, 2);
    const [a, b] = await Promise.all([readAll(one, "a", [1, 2, 3, 1]), readAll(one, "b", [1])]);
    expect(a).toEqual(["a1", "a2", "a3", "a1"]);
    expect(b).toEqual(["b1"]);
    expect(asked).toEqual([[1, 2], [1], [3]]);
  });

  it("answers who comes late along with the others, or asks again for him", async () => {
    const gate = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    const { one, asked } = batcher(async (key, members, deliver) => {
      started.resolve();
      await gate.promise;
      for (const member of new Set([...members, 2])) deliver(member, `${key}${member}`);
    });
    const first = one.read("a", 1, signal);
    await started.promise;
    const late = readAll(one, "a", [2, 3]);
    gate.resolve();
    expect([await first, ...(await late)]).toEqual(["a1", "a2", "a3"]);
    expect(asked).toEqual([[1], [3]]);
  });

  it("rejects with what asking throws, and with being forgotten, and goes on", async () => {
    let times = 0;
    const { one } = batcher(async (key, members, deliver, abort) => {
      times += 1;
      if (times === 1) throw new Error("broken");
      if (times > 2) await answerAll(key, members, deliver, abort);
    });
    await expect(one.read("a", 1, signal)).rejects.toThrow("broken");
    await expect(one.read("a", 1, signal)).rejects.toThrow("without an answer for everybody");
    expect(await one.read("a", 1, signal)).toBe("a1");
  });

  it("is not disturbed by one who gives up", async () => {
    const { one, asked } = batcher(answerAll);
    const caller = new AbortController();
    const [given, kept] = [one.read("a", 1, caller.signal), one.read("a", 2, signal)];
    caller.abort(new Error("stopped"));
    await expect(given).rejects.toThrow("stopped");
    expect(await kept).toBe("a2");
    expect(asked).toEqual([[2]]);
    await expect(one.read("a", 1, caller.signal)).rejects.toThrow("stopped");
  });
});
