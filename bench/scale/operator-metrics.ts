/** What the operator tells of itself at /metrics. */
export interface OperatorMetrics {
  /** Calls to the API server since the start, its leader's Lease left out. */
  readonly apiCalls: number;
  /** Policies whose condition Ready is True. */
  readonly ready: number;
  readonly leading: boolean;
}

export async function operatorMetrics(url: string): Promise<OperatorMetrics> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const sum = (pattern: RegExp) =>
    [...text.matchAll(pattern)].reduce((total, [, value]) => total + Number(value), 0);
  return {
    apiCalls:
      sum(/^rest_client_requests_total\{.*\} (\S+)$/gm) -
      sum(/^rest_client_requests_total\{.*resource="leases[^"]*".*\} (\S+)$/gm),
    ready: sum(/^rollback_policies\{.*"True".*\} (\S+)$/gm),
    leading: sum(/^leader_election_master_status (\S+)$/gm) === 1,
  };
}
