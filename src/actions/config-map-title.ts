const PREFIX = "ConfigMap/";

/** `ConfigMap/settings`. */
export function configMapTitle(name: string): string {
  return `${PREFIX}${name}`;
}

/** The inverse. Throws TypeError on anything else. */
export function parseConfigMapTitle(title: string): string {
  if (!title.startsWith(PREFIX)) throw new TypeError(`"${title}" does not name a ConfigMap`);
  return title.slice(PREFIX.length);
}
