/**
 * Bundles the operator (half the memory and a third of the start-up time of the unbundled tree) and the kubectl plugin.
 * Both in parts, so that a pod never loads what only a kubeconfig needs, nor `--help` more than the command line.
 */
import { rmSync } from "node:fs";
import { resolve } from "node:path";
import { build, type BuildOptions, type Plugin } from "esbuild";

/**
 * What Node has loaded stays in memory, used or not. Of undici we use the client, not fetch, mocks and caches; of zod
 * one language of thirty. 12 MiB less, see docs/decisions/0011-memory.md.
 */
const slimLibraries: Plugin = {
  name: "slim-libraries",
  setup({ onResolve }) {
    const sources = resolve("src");
    onResolve({ filter: /^undici$/ }, ({ importer }) =>
      importer.startsWith(sources) ? { path: resolve("scripts/undici-client.cjs") } : undefined,
    );
    onResolve({ filter: /^\.\.\/locales\/index\.js$/ }, ({ resolveDir }) =>
      /node_modules\/zod\//.test(`${resolveDir}/`)
        ? { path: resolve(resolveDir, "../locales/en.js") }
        : undefined,
    );
  },
};

/**
 * An `import` of a built-in module reads all that it exports. Of these some are getters that load what we never use:
 * node:http Node's own copy of undici with HTTP/2 and web streams, node:crypto WebCrypto, and child_process itself is
 * commander's, for commands that are programs of their own. Taken from a function, only what is used is loaded.
 */
const lazyBuiltins: Plugin = {
  name: "lazy-builtins",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:(http|crypto)$/ }, ({ path, kind }) =>
      kind === "import-statement" ? { path, namespace: "lazy-builtin" } : undefined,
    );
    onLoad({ filter: /.*/, namespace: "lazy-builtin" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
    onResolve({ filter: /^node:child_process$/ }, ({ path, importer }) =>
      /node_modules\/commander\//.test(importer) ? { path, namespace: "lazy-spawn" } : undefined,
    );
    onLoad({ filter: /.*/, namespace: "lazy-spawn" }, ({ path }) => ({
      contents: `exports.spawn = (...args) => process.getBuiltinModule(${JSON.stringify(path)}).spawn(...args);`,
    }));
    // HTTP/2 is switched off: see src/kube/agent.ts.
    onResolve({ filter: /^\.\/client-h2\.js$/ }, ({ path, importer }) =>
      /node_modules\/undici\//.test(importer) ? { path, namespace: "left-out" } : undefined,
    );
    // Of prom-client: what pushes and what gathers from other processes.
    onResolve({ filter: /^\.\/lib\/(pushgateway|cluster)$/ }, ({ path, importer }) =>
      /node_modules\/prom-client\//.test(importer) ? { path, namespace: "left-out" } : undefined,
    );
    onLoad({ filter: /.*/, namespace: "left-out" }, () => ({ contents: "module.exports = undefined;" }));
  },
};

const shared: BuildOptions = {
  outdir: "dist",
  outExtension: { ".js": ".mjs" },
  bundle: true,
  splitting: true,
  platform: "node",
  target: "node24",
  format: "esm",
  sourcemap: true,
  // Names stay, so that a stack trace can be read without the source map: Node keeps a map that it uses in memory.
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "none",
  logLevel: "warning",
  plugins: [slimLibraries, lazyBuiltins],
  // CommonJS dependencies call require for built-in modules.
  banner: {
    js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
  },
};

for (const [name, entry] of Object.entries({
  "rollback-operator": "src/main.ts",
  "kubectl-rollback": "src/cli/main.ts",
})) {
  // Parts are named by their content: those of the last build would stay for ever.
  rmSync(`dist/${name}`, { recursive: true, force: true });
  await build({ ...shared, entryPoints: { [name]: entry }, chunkNames: `${name}/[name]-[hash]` });
}
