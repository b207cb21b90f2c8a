/** Writes the patches of ConfigMap argocd-cm in deploy/argo-cd from the Lua there. */
import { writeFileSync } from "node:fs";
import { argoCdPatches } from "./argo-cd-patches.ts";

for (const [path, text] of argoCdPatches()) writeFileSync(path, text);
