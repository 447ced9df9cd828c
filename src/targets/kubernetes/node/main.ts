// The node agent as a program: a DaemonSet's container on the node's network, for clusters without Hubble or log shipper.
// It needs NET_ADMIN and NET_RAW, reads /var/log/pods, and lists and watches pods and services. Configuration: config.ts.
import { exitCodeFor, oneLine } from '../../../errors.ts';
import { runAgent } from './agent.ts';
import { nodeConfig } from './config.ts';

const ending = new AbortController();
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => ending.abort());

const say = (line: string): void => console.error(`node agent: ${line}`);

try {
  await runAgent(nodeConfig(process.env), ending.signal, say);
} catch (error) {
  say(oneLine(error));
  process.exitCode = exitCodeFor(error);
}
