// A drill in a process of its own, as the command line runs one, but the lab's flow observer is reached through a relay that can be cut.
// Arguments: the run's folder, and JSON { "given": options of the command line, "cut": whether to cut at the injection }.
// Says `injecting` on standard error when it is about to: what is lost then has seen nothing of the fault yet.
import { swapped } from '../../src/backends.ts';
import { drill } from '../../src/drill.ts';
import { networkPolicy } from '../../src/faults/network-policy.ts';
import { loadPlatform } from '../../src/load.ts';
import { LAYERS } from '../../src/model.ts';
import { scenario } from '../../src/scenario.ts';
import { ANY_PORTS } from '../../src/targets/lab/lab.ts';
import { openLab } from '../../src/targets/lab/open.ts';
import { relay } from './relay.ts';

const SEED = 3;
const GIVE_UP_MS = 180_000;

/** The shipped `blocked-edge`, in less time. */
const blockedEdge = scenario('a network policy cuts one edge', {
  traffic: { rate: '25/s' },
  fault: networkPolicy('risk-service->portfolio-service', { how: 'drop' }),
  warmUp: '6s',
  baseline: '20s',
  hold: '15s',
  recovery: '6s',
  expect: Object.fromEntries(LAYERS.map((layer) => [layer, 'located'])),
});

const [folder, settings] = process.argv.slice(2) as [string, string];
const { given, cut } = JSON.parse(settings) as { given: Parameters<typeof swapped>[0]; cut: boolean };
const ignore = (): void => undefined;

const { reads, receivers } = swapped(given);
const platform = await loadPlatform('trading');
await using lab = await openLab(platform, SEED, ignore, ANY_PORTS, receivers);
await using observer = await relay(lab.endpoints.hubble!);
const entry = ({ type }: { readonly type: string }): void => {
  if (type !== 'injecting') return;
  process.stderr.write('injecting\n');
  if (cut) void observer.cut();
};
const backends = { ...reads, hubble: observer.address };
const on = { plan: ignore, record: ignore, look: ignore, entry };
const signal = AbortSignal.timeout(GIVE_UP_MS);
await drill({ scenario: blockedEdge, platform, seed: SEED, runId: 'backends', folder, backends, signal, on }, lab);
