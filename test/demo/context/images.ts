import { waitFor } from "../../cluster/readiness.ts";
import type { Kubectl } from "../../support/kubectl.ts";
import { TOOLS_NAMESPACE } from "../demo-layout.ts";
import { CONTEXT_IMAGES, type PackedImage } from "../images.ts";

const TIMEOUT_MS = 60_000;
/** A node that lacks an image says so at once when it may not pull. */
const LACKING = new Set(["ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff", "InvalidImageName"]);

interface TrialPod {
  readonly metadata: { readonly name: string };
  readonly status?: {
    readonly phase?: string;
    readonly containerStatuses?: readonly {
      readonly state?: { readonly waiting?: { readonly reason?: string } };
    }[];
  };
}

/** Which images no node has, found out by trying: one short-lived pod for each, forbidden to pull. */
export async function missingImages(kubectl: Kubectl, signal: AbortSignal): Promise<readonly PackedImage[]> {
  const namespace = ["-n", TOOLS_NAMESPACE];
  const selector = ["-l", "app=image-trial"];
  const remove = ["delete", "pods", ...namespace, ...selector, "--grace-period=1", "--timeout=60s"];
  await kubectl(remove);
  await kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: trialPods() }));
  let pods: readonly TrialPod[] = [];
  await waitFor(
    `trial of the images (kubectl get pods ${[...namespace, ...selector].join(" ")})`,
    async () => {
      const text = await kubectl(["get", "pods", ...namespace, ...selector, "-o", "json"]);
      pods = (JSON.parse(text) as { readonly items: readonly TrialPod[] }).items;
      return pods.length === CONTEXT_IMAGES.length && pods.every((pod) => isOver(pod) || lacksImage(pod));
    },
    { timeoutMs: TIMEOUT_MS, intervalMs: 200, signal },
  );
  await kubectl(remove);
  return CONTEXT_IMAGES.filter((_, index) =>
    pods.some((pod) => pod.metadata.name === trialName(index) && lacksImage(pod)),
  );
}

/** What the user has to type so that the cluster has these images; which sort of cluster it is, only the user knows. */
export function loadCommands(context: string, images: readonly PackedImage[]): string {
  const isKind = context.startsWith("kind-");
  const archives = images.map(({ archive }) => archive).join(" ");
  const name = isKind ? context.slice("kind-".length) : "NAME";
  const commands = [
    ...(context === "minikube" ? [] : [`kind load image-archive $archive --name ${name}`]),
    ...(isKind ? [] : ["minikube image load $archive"]),
  ];
  return commands.map((command) => `  for archive in ${archives}; do ${command}; done`).join("\n");
}

function trialName(index: number): string {
  return `image-trial-${index}`;
}

function trialPods(): readonly unknown[] {
  return CONTEXT_IMAGES.map(({ image }, index) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: trialName(index), namespace: TOOLS_NAMESPACE, labels: { app: "image-trial" } },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: "RuntimeDefault" } },
      containers: [
        {
          name: "trial",
          image,
          imagePullPolicy: "Never",
          command: ["/usr/bin/node", "--version"],
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
        },
      ],
    },
  }));
}

function isOver({ status }: TrialPod): boolean {
  return status?.phase === "Succeeded" || status?.phase === "Failed";
}

function lacksImage({ status }: TrialPod): boolean {
  const [container] = status?.containerStatuses ?? [];
  return LACKING.has(container?.state?.waiting?.reason ?? "");
}
