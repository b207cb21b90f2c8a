/** The operator as it is, with a clock that runs SOAK_SPEED times as fast. Takes the arguments of `controller`. */
import { parseArgs } from "node:util";
import { runOperator } from "../../src/operator.ts";
import { fastClock } from "./fast-clock.ts";

const { values } = parseArgs({
  allowPositionals: true,
  options: {
    kubeconfig: { type: "string", default: "" },
    config: { type: "string", default: "" },
    listen: { type: "string", default: "127.0.0.1:0" },
  },
});
const [host = "", port = ""] = values.listen.split(":");
const speed = Number(process.env["SOAK_SPEED"]);
if (!(speed >= 1)) throw new RangeError("SOAK_SPEED must be a number of at least 1");
process.exitCode = await runOperator(
  { kubeconfig: values.kubeconfig, config: values.config, listen: { host, port: Number(port) } },
  fastClock(speed),
);
