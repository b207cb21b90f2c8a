import { GROUP } from "./common.ts";

/** What people write on a policy or on its target. */
export const POLICY_ANNOTATIONS = {
  /** When a hotfix is to be out, RFC 3339. */
  hotfixEta: `${GROUP}/hotfix-eta`,
  /** Any value but "false": nothing is rolled back, but by a person whose request is SEV1. */
  freeze: `${GROUP}/freeze`,
} as const;

/** What people write on a request. Names are claims unless the admission policy of the installation compares them. */
export const REQUEST_ANNOTATIONS = {
  abort: `${GROUP}/abort`,
  /** Digest of the plan that is approved. */
  approve: `${GROUP}/approve`,
  approvedBy: `${GROUP}/approved-by`,
  /** Why not; may be empty. */
  deny: `${GROUP}/deny`,
  deniedBy: `${GROUP}/denied-by`,
  /** "true" ends the holds of a finished request. */
  release: `${GROUP}/release`,
} as const;

/** On an Application of Argo CD, or on a Kustomization or HelmRelease of Flux. */
export const OWNER_ANNOTATIONS = {
  /** What its owner allows: policies that may stop it, as namespace/name, apart by commas; written by people. */
  consent: `${GROUP}/consent`,
  /** Who stops it and what stood there before; written by the operator. */
  held: `${GROUP}/held`,
} as const;
