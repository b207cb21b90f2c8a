/** Name of the sample application's Deployment and Service, as examples/verification.yaml has it. */
export const API = "llm-research-api";

/** Two pods of the sample application behind a Service, as YAML's subset JSON. */
export function applicationOf(image: string, env: Readonly<Record<string, string>>): string {
  const labels = { app: API };
  const container = {
    name: "api",
    image,
    imagePullPolicy: "Never",
    ports: [{ name: "http", containerPort: 8080 }],
    readinessProbe: { httpGet: { path: "/healthz", port: "http" }, periodSeconds: 1 },
    // An empty list rather than none, so that applying it takes the last release's away.
    env: Object.entries(env).map(([name, value]) => ({ name, value })),
  };
  const annotations = { "prometheus.io/scrape": "true", "prometheus.io/port": "8080" };
  const items = [
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: API },
      spec: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels, annotations },
          spec: { terminationGracePeriodSeconds: 1, containers: [container] },
        },
      },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: API },
      spec: { selector: labels, ports: [{ name: "http", port: 80, targetPort: "http" }] },
    },
  ];
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}
