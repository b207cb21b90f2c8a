import type { Container, PodTemplateSpec } from "../kube/well-known.ts";

/** Containers of a template, those of the application first, init containers (native sidecars among them) after. */
export function containersOf(template: PodTemplateSpec): readonly Container[] {
  return [...(template.spec?.containers ?? []), ...(template.spec?.initContainers ?? [])];
}

/** Images for people: `web:v1`, or `app=web:v1` where there are several containers, since order tells nothing. */
export function labelledImages(template: PodTemplateSpec): readonly string[] {
  const containers = containersOf(template);
  return containers.map(({ name, image = "" }) => (containers.length > 1 ? `${name}=${image}` : image));
}

/** The image of the container or init container of this name; undefined where there is none. */
export function imageOfContainer(template: PodTemplateSpec, name: string): string | undefined {
  return containersOf(template).find((container) => container.name === name)?.image;
}

/** The template with one image replaced and nothing else, as `kubectl set image` does. */
export function withImage(template: PodTemplateSpec, name: string, image: string): PodTemplateSpec {
  const { containers, initContainers } = template.spec;
  const replaced = (list: readonly Container[]) =>
    list.map((each) => (each.name === name ? { ...each, image } : each));
  return {
    ...template,
    spec: {
      ...template.spec,
      containers: replaced(containers),
      ...(initContainers === undefined ? {} : { initContainers: replaced(initContainers) }),
    },
  };
}

/** Whether what the reference names can change: no digest, and the tag `latest` or none. */
export function isMovable(image: string): boolean {
  if (image.includes("@")) return false;
  const name = image.slice(image.lastIndexOf("/") + 1);
  const tag = name.includes(":") ? name.slice(name.indexOf(":") + 1) : "latest";
  return tag === "latest";
}
