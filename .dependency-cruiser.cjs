/** The arrows of the architecture: main -> controllers -> (actions, checks, decision, prometheus) -> kube -> crds. */
module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    {
      name: "crds-import-nothing-of-ours",
      severity: "error",
      from: { path: "^src/crds/" },
      to: { path: "^src/", pathNot: "^src/crds/" },
    },
    {
      name: "kube-imports-only-crds",
      severity: "error",
      from: { path: "^src/kube/" },
      to: { path: "^src/", pathNot: "^src/(kube|crds)/" },
    },
    {
      name: "decision-is-pure",
      comment: "decision imports nothing but types of crds: no I/O, no clock, no library",
      severity: "error",
      from: { path: "^src/decision/", pathNot: "[.]test[.]ts$" },
      to: { pathNot: "^src/(decision|crds)/" },
    },
    {
      name: "actions-do-not-import-each-other",
      severity: "error",
      from: { path: "^src/actions/([^/]+)/" },
      to: { path: "^src/actions/([^/]+)/", pathNot: "^src/actions/$1/" },
    },
    {
      name: "checks-do-not-import-each-other",
      severity: "error",
      from: { path: "^src/checks/([^/]+)/" },
      to: { path: "^src/checks/([^/]+)/", pathNot: "^src/checks/$1/" },
    },
    {
      name: "lower-layers-know-no-controller",
      severity: "error",
      from: {
        path: "^src/(actions|checks|config-maps|decision|gitops|prometheus|signals|traffic|workloads|config|kube|crds)/",
      },
      to: { path: "^src/(controllers|telemetry|main|operator|composition|caches)" },
    },
    {
      name: "backtest-decides-as-the-operator",
      comment:
        "the backtest reads a policy as the operator does, and shares nothing with what acts or watches",
      severity: "error",
      from: { path: "^src/backtest/" },
      to: {
        path: "^src/(actions|checks|cli|gitops|controllers|telemetry|main|operator|composition|caches)",
        pathNot: "^src/controllers/policy/compile[.]ts$",
      },
    },
    {
      name: "only-main-wires",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(main|operator|composition|caches)[.]ts$" },
      to: { path: "^src/(main|operator|composition|caches)[.]ts$" },
    },
    {
      name: "client-node-behind-one-adapter",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/kube/credentials[.]ts$" },
      to: { path: "node_modules/@kubernetes/client-node", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "nothing-imports-cli",
      severity: "error",
      from: { path: "^(src|bench|scripts)/", pathNot: "^src/cli/" },
      to: { path: "^src/cli/" },
    },
    {
      name: "cli-acts-by-requests-only",
      comment: "the user's tool reads, and makes requests: it shares the operator's rules, never its acts",
      severity: "error",
      from: { path: "^src/cli/" },
      to: {
        path: "^src/",
        pathNot: [
          "^src/(backtest|cli|crds|decision|kube|prometheus|signals|workloads)/",
          "^src/controllers/ledger/ledger[.]ts$",
          "^src/actions/workload/choose[.]ts$",
          // For explain: pure readings of a policy and of what the operator wrote.
          "^src/config/(load|schema)[.]ts$",
          "^src/controllers/kill-switch-state[.]ts$",
          "^src/controllers/policy/(annotations|breach-condition|ledger-view|recent-rollbacks|rules|target)[.]ts$",
          "^src/controllers/request/phase[.]ts$",
          // How what is stopped is called.
          "^src/gitops/(owner|hold-field)[.]ts$",
        ],
      },
    },
    {
      name: "sources-do-not-import-tests",
      severity: "error",
      from: { path: "^src/", pathNot: "[.]test[.]ts$" },
      to: { path: "^(test|bench|scripts)/|[.]test[.]ts$" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { extensions: [".ts", ".mts", ".js", ".mjs", ".cjs", ".json"] },
  },
};
