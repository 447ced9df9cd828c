// Hubble's own `.proto` files, as they are: what their names, numbers and types are.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

/** The folder that the files' imports begin at. */
export const PROTO = fileURLToPath(new URL('./proto/', import.meta.url));

let loaded: protobuf.Root | null = null;

/** Every type of `observer/observer.proto` and what it imports; read once. */
export const schema = (): protobuf.Root => {
  if (loaded) return loaded;
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(PROTO, target);
  root.loadSync('observer/observer.proto', { keepCase: true }).resolveAll();
  loaded = root;
  return root;
};

/** The name of a drop reason's number; undefined when it is newer than the proto. */
export const dropReasonName = (number: number): string | undefined =>
  schema().lookupEnum('flow.DropReason').valuesById[number];
