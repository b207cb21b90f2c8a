import { parsePolicy } from "../../src/backtest/policy-file.ts";
import type { PastRelease } from "../../src/backtest/past-release.ts";
import type { RollbackPolicy } from "../../src/kube/rollback-kinds.ts";
import type { Incident } from "./incident.ts";
import type { Profile } from "./stage.ts";

/** The policy that watches an incident's service: the runbook's rows for errors, and by profile rows for more. */
export function policyOf({ namespace, app, profile }: Incident, minimumRequests?: number): RollbackPolicy {
  const match = { namespace, app };
  const bad = 'http_requests_total{status=~"5.."}';
  const total = "http_requests_total";
  const guard = minimumRequests === undefined ? {} : { minimumRequests };
  const { signals, matrix } = extraOf(profile, { match, ...guard });
  const policy = {
    apiVersion: "rollback.llm-research-lab.io/v1alpha1",
    kind: "RollbackPolicy",
    metadata: { name: app, namespace },
    spec: {
      target: { kind: "Deployment", name: app },
      serviceAccountName: "rollback-executor",
      signals: [
        { name: "error-rate", prometheus: { ratio: { bad, total, window: "1m" }, match, ...guard } },
        ...signals,
      ],
      matrix: [
        {
          name: "error-rate-critical",
          when: { signal: "error-rate", above: "0.10", for: "2m" },
          severity: "SEV1",
          action: "Rollback",
        },
        {
          name: "error-rate-elevated",
          when: { signal: "error-rate", above: "0.05", for: "5m" },
          severity: "SEV3",
          action: "Propose",
        },
        ...matrix,
      ],
    },
  };
  return parsePolicy(JSON.stringify(policy), `policy of ${namespace}`, undefined);
}

/** Releases as releases.json would tell them. */
export function releasesOf({ releases }: Incident): readonly PastRelease[] {
  return releases.map((release) => ({ ...release, replicaSetUid: release.podTemplateHash }));
}

function extraOf(
  profile: Profile,
  common: { readonly match: Readonly<Record<string, string>>; readonly minimumRequests?: number },
): { readonly signals: readonly unknown[]; readonly matrix: readonly unknown[] } {
  switch (profile) {
    case "errors":
      return { signals: [], matrix: [] };
    case "routes": {
      const ratio = {
        bad: 'http_requests_total{status=~"5.."}',
        total: "http_requests_total",
        window: "1m",
        by: ["route"],
      };
      const when = { signal: "endpoint-errors", above: "0.25", for: "3m" };
      return {
        signals: [{ name: "endpoint-errors", prometheus: { ratio, ...common } }],
        matrix: [{ name: "endpoint-broken", when, severity: "SEV2", action: "Rollback" }],
      };
    }
    case "latency": {
      const quantile = { quantile: "0.95", histogram: "http_request_duration_seconds", window: "1m" };
      const when = { signal: "p95-latency", above: "1", for: "3m" };
      return {
        signals: [{ name: "p95-latency", prometheus: { quantile, ...common } }],
        matrix: [{ name: "latency-high", when, severity: "SEV2", action: "Rollback" }],
      };
    }
  }
}
