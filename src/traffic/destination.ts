/** Where routes send requests: a host, narrowed to a subset or a port where they are named. */
export interface Destination {
  /** A Service by its short name, or any full name. */
  readonly host: string;
  /** Name of a subset that a DestinationRule of the host defines. */
  readonly subset?: string | undefined;
  readonly port?: number | undefined;
}

/** A Service that a host stands for. */
export interface ServiceName {
  readonly namespace: string;
  readonly name: string;
}

/**
 * The Service behind a host of a route in `namespace`; undefined for a name that is none of a Service. As Istio reads
 * hosts: one without a dot is a Service of the route's own namespace, any other is complete
 * (istio/pkg/config/resource_helpers: ResolveShortnameToFQDN). The cluster's domain may be any.
 */
export function serviceOf(host: string, namespace: string): ServiceName | undefined {
  const name = host.toLowerCase();
  if (name === "*" || name === "" || name.includes(":")) return undefined;
  if (!name.includes(".")) return { namespace, name };
  const [, service, of] = /^([^.]+)\.([^.]+)\.svc\.[^.]+/.exec(name) ?? [];
  return service === undefined || of === undefined ? undefined : { namespace: of, name: service };
}

export function isSameHost(a: string, b: string, namespace: string): boolean {
  return hostId(a, namespace) === hostId(b, namespace);
}

/** Whether some requests sent to `from` may arrive where `to` sends its own: what is not named is everything. */
export function mayReach(from: Destination, to: Destination, namespace: string): boolean {
  return (
    isSameHost(from.host, to.host, namespace) &&
    overlap(from.subset, to.subset) &&
    overlap(from.port, to.port)
  );
}

/** Whether all requests sent to `inner` stay within `outer`. */
export function isWithin(inner: Destination, outer: Destination, namespace: string): boolean {
  return (
    isSameHost(inner.host, outer.host, namespace) &&
    inner.subset === outer.subset &&
    (outer.port === undefined || inner.port === outer.port)
  );
}

function hostId(host: string, namespace: string): string {
  const service = serviceOf(host, namespace);
  return service === undefined ? host.toLowerCase() : `${service.name}.${service.namespace}.svc.`;
}

function overlap<T>(a: T | undefined, b: T | undefined): boolean {
  return a === undefined || b === undefined || a === b;
}
