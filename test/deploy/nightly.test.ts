// Claims about the nightly drills: they have the rights that their scenarios need and no others, and can't do what pods shouldn't.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { load, loadAll } from 'js-yaml';
import nightly from '../../deploy/nightly/scenarios/nightly.ts';
import { run } from '../../src/process.ts';

const ROOT = join(import.meta.dirname, '../..');
const NIGHTLY = 'deploy/nightly';
const DRILLS = `${NIGHTLY}/scenarios/nightly.ts`;
const read = (name: string): Promise<string> => readFile(join(ROOT, NIGHTLY, name), 'utf8');

type Container = { readonly args: readonly string[]; readonly image: string; readonly securityContext: object };
type CronJob = {
  readonly spec: {
    readonly concurrencyPolicy: string;
    readonly jobTemplate: {
      readonly spec: {
        readonly backoffLimit: number;
        readonly activeDeadlineSeconds: number;
        readonly template: {
          readonly spec: {
            readonly serviceAccountName: string;
            readonly securityContext: object;
            readonly initContainers: readonly Container[];
            readonly containers: readonly Container[];
          };
        };
      };
    };
  };
};
const job = (load(await read('cronjob.yaml')) as CronJob).spec;
const pod = job.jobTemplate.spec.template.spec;

describe('nightly', () => {
  test('its Roles are what firedrill rbac prints for its scenarios and its way to Services', async () => {
    const argv = [process.execPath, '--disable-warning=ExperimentalWarning', 'src/cli.ts'] as const;
    const asked = ['rbac', DRILLS, '--via', 'direct'];
    const printed = await run({ name: 'firedrill', argv: [...argv, ...asked], cwd: ROOT });
    expect(await read('rbac.yaml')).toBe(printed);
    expect(pod.containers[0]!.args).toContain('--via=direct');
  });

  test('its service account is the one that the Roles are bound to', async () => {
    const [account] = loadAll(await read('rbac.yaml')) as { kind: string; metadata: { name: string } }[];
    expect(account).toMatchObject({ kind: 'ServiceAccount', metadata: { name: pod.serviceAccountName } });
  });

  test('one of the drills of a night is a control, and the others break something', () => {
    const kinds = nightly.map(({ fault }) => fault.kind);
    expect(kinds.filter((kind) => kind === 'none').length).toBe(1);
    expect(kinds.length).toBeGreaterThan(1);
  });

  test('one night at a time, never repeated, always ending, and healed before it begins', () => {
    expect(job.concurrencyPolicy).toBe('Forbid');
    expect(job.jobTemplate.spec).toMatchObject({ backoffLimit: 0, activeDeadlineSeconds: expect.any(Number) });
    const [first] = pod.initContainers;
    expect(first!.args.slice(0, 3)).toEqual(['heal', '--target', 'kubernetes']);
  });

  test('heals and drills in the same namespaces', () => {
    const heals = pod.initContainers[0]!.args;
    const drills = pod.containers[0]!.args.flatMap((one) => one.match(/^--allow=(.+)/)?.[1] ?? []);
    expect(heals.slice(heals.indexOf('--allow') + 1)).toEqual(drills);
  });

  test('every container keeps to the restricted level of pod security', () => {
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    for (const one of [...pod.initContainers, ...pod.containers])
      expect(one.securityContext).toMatchObject({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
  });
});
