// Packet captures on the node: every packet once, as it comes from the pod (or the client) that sent it.
import { Unreachable } from '../../errors.ts';
import { until } from '../../poll.ts';
import { type Running, start } from '../../process.ts';
import type { ToolPath } from './config.ts';
import { NODE_IP } from './network.ts';

export type CaptureCounts = { readonly captured: number; readonly droppedByKernel: number };
export type LabCapture = { stop(): Promise<CaptureCounts> };

/** Enough for headers of every packet and the head of a request. */
const SNAPLEN = '256';
const BUFFER_KIB = '16384';

/** Captures TCP between pods and from users into `file`; resolves once tcpdump listens. */
export const startCapture = async (tcpdump: ToolPath, file: string): Promise<LabCapture> => {
  const running = await start({
    name: 'tcpdump',
    argv: [
      tcpdump.path,
      '-i',
      'any',
      '-Q',
      'in',
      '-n',
      '-U',
      '-s',
      SNAPLEN,
      '-B',
      BUFFER_KIB,
      '-w',
      file,
      `tcp and not host ${NODE_IP}`,
    ],
    env: tcpdump.env,
  });
  await until('tcpdump', () => listens(running), { forMs: 5000, everyMs: 10 });
  return {
    stop: async () => {
      await running.stop('SIGINT');
      return counts(running.complaint());
    },
  };
};

const listens = (running: Running): true | null => {
  if (running.child.exitCode !== null) throw new Unreachable(`tcpdump ended: ${running.complaint()}`);
  return /listening on/.test(running.complaint()) ? true : null;
};

/** tcpdump's closing words: `12 packets captured`, `0 packets dropped by kernel`. */
export const counts = (words: string): CaptureCounts => ({
  captured: Number(/(\d+) packets? captured/.exec(words)?.[1] ?? 0),
  droppedByKernel: Number(/(\d+) packets? dropped by kernel/.exec(words)?.[1] ?? 0),
});
