import { defineResource, type KubeObject } from "./objects.ts";

/** A reference by name to a ConfigMap or Secret, as env and volumes make it. */
export interface NameRef {
  readonly name?: string;
  readonly optional?: boolean;
}

export interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: {
    readonly configMapKeyRef?: NameRef & { readonly key: string };
    readonly secretKeyRef?: NameRef & { readonly key: string };
    readonly [field: string]: unknown;
  };
}

export interface Container {
  readonly name: string;
  readonly image?: string;
  readonly env?: readonly EnvVar[];
  readonly envFrom?: readonly {
    readonly prefix?: string;
    readonly configMapRef?: NameRef;
    readonly secretRef?: NameRef;
    readonly [field: string]: unknown;
  }[];
  readonly ports?: readonly {
    readonly name?: string;
    readonly containerPort: number;
    /** Absent means TCP. */
    readonly protocol?: string;
    readonly [field: string]: unknown;
  }[];
  /** Of an init container: `Always` makes it a sidecar. */
  readonly restartPolicy?: string;
  readonly volumeMounts?: readonly {
    readonly name: string;
    readonly mountPath: string;
    readonly subPath?: string;
    readonly readOnly?: boolean;
    readonly [field: string]: unknown;
  }[];
  readonly [field: string]: unknown;
}

export interface Volume {
  readonly name: string;
  readonly configMap?: NameRef & { readonly [field: string]: unknown };
  readonly secret?: {
    readonly secretName?: string;
    readonly optional?: boolean;
    readonly [field: string]: unknown;
  };
  readonly persistentVolumeClaim?: { readonly claimName: string; readonly readOnly?: boolean };
  readonly projected?: {
    readonly sources?: readonly {
      readonly configMap?: NameRef;
      readonly secret?: NameRef;
      readonly [field: string]: unknown;
    }[];
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

export interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes?: readonly Volume[];
  readonly serviceAccountName?: string;
  readonly imagePullSecrets?: readonly { readonly name?: string }[];
  readonly nodeName?: string;
  readonly priorityClassName?: string;
  readonly runtimeClassName?: string;
  readonly [field: string]: unknown;
}

export interface PodTemplateSpec {
  readonly metadata?: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
  readonly spec: PodSpec;
}

/** Exactly one of the three is set; none means waiting. */
export interface ContainerState {
  readonly waiting?: { readonly reason?: string; readonly message?: string };
  readonly running?: { readonly startedAt?: string };
  readonly terminated?: {
    readonly exitCode: number;
    readonly signal?: number;
    readonly reason?: string;
    readonly message?: string;
    readonly startedAt?: string;
    readonly finishedAt?: string;
    /** As `containerd://<id>`: of the very run that ended. */
    readonly containerID?: string;
  };
}

export interface ContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly started?: boolean;
  readonly restartCount: number;
  readonly image: string;
  /** What really runs, by digest; empty until pulled. */
  readonly imageID: string;
  readonly state?: ContainerState;
  readonly lastState?: ContainerState;
  readonly [field: string]: unknown;
}

export interface Pod extends KubeObject {
  readonly spec: PodSpec;
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly startTime?: string;
    readonly podIP?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly message?: string;
      readonly lastTransitionTime?: string;
      readonly [field: string]: unknown;
    }[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly [field: string]: unknown;
  };
}

export const podType = defineResource<Pod>({
  apiVersion: "v1",
  kind: "Pod",
  plural: "pods",
  namespaced: true,
});
