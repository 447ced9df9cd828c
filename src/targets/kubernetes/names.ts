// Names go into paths of the API server, so they must be names: nothing that could lead elsewhere.
import { Usage } from '../../errors.ts';

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** Throws Usage unless it is a DNS-1123 label (RFC 1123, 2.1), as namespaces, containers and services are named. */
export const mustBeLabel = (what: string, name: string): void => {
  if (!LABEL.test(name)) throw new Usage(`'${name}' is no name of a ${what}: lower case letters, digits and dashes`);
};

/** Throws Usage unless it is a DNS-1123 subdomain: labels with dots between them, as pods are named. */
export const mustBeSubdomain = (what: string, name: string): void => {
  if (name.length > 253) throw new Usage(`'${name.slice(0, 20)}…' is no name of a ${what}: longer than 253 characters`);
  if (!name.split('.').every((label) => LABEL.test(label)))
    throw new Usage(`'${name}' is no name of a ${what}: lower case letters, digits, dashes and dots`);
};
