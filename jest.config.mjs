const swc = [
  "@swc/jest",
  {
    jsc: { target: "es2024", parser: { syntax: "typescript" } },
    module: { type: "commonjs" },
    sourceMaps: "inline",
  },
];

/** ESM-only packages that CommonJS tests load through the transform. */
const esmOnly = ["commander", "@kubernetes/client-node", "openid-client", "oauth4webapi", "jose"];

function project(displayName, testMatch, extra = {}) {
  return {
    displayName,
    testMatch,
    transform: { "\\.[mc]?[jt]s$": swc },
    transformIgnorePatterns: [`/node_modules/(?!(${esmOnly.join("|")})/)`],
    extensionsToTreatAsEsm: [],
    injectGlobals: false,
    ...extra,
  };
}

export default {
  workerIdleMemoryLimit: "512MB",
  // The machine may be shared: how long something takes is a figure of the benches, never of a test.
  testTimeout: 120_000,
  projects: [
    project("unit", ["<rootDir>/{src,bench}/**/*.test.ts"]),
    project("integration", ["<rootDir>/test/integration/**/*.test.ts"]),
    project("conformance", ["<rootDir>/test/conformance/**/*.test.ts"]),
    project("crash", ["<rootDir>/test/crash/**/*.test.ts"]),
    project("e2e", ["<rootDir>/test/e2e/**/*.test.ts"]),
  ],
};
