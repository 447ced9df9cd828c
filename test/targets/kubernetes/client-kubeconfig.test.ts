import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Usage } from '../../../src/errors.ts';
import { run } from '../../../src/process.ts';
import { chooseContext } from '../../../src/targets/kubernetes/kubeconfig.ts';
import { fromIso, systemClock } from '../../../src/time.ts';

const folder = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
const now = systemClock.now();
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const config = (name: string, user = '{ token: abc }'): string => `
apiVersion: v1
kind: Config
current-context: ${name}
clusters: [{ name: ${name}-cluster, cluster: { server: "https://${name}.example:6443/" } }]
users: [{ name: ${name}-user, user: ${user} }]
contexts: [{ name: ${name}, context: { cluster: ${name}-cluster, user: ${name}-user } }]
`;
const complaint = (wanted: Parameters<typeof chooseContext>[0], env: NodeJS.ProcessEnv = {}, at = now): string => {
  try {
    chooseContext(wanted, { HOME: folder, ...env }, at);
  } catch (error) {
    expect(error).toBeInstanceOf(Usage);
    expect((error as Error).message).not.toContain('\n');
    return (error as Error).message;
  }
  throw new Error('nothing was wrong with it');
};

afterAll(() => rmSync(folder, { recursive: true }));

describe('which kubeconfig', () => {
  test('the one that is named goes before all others', () => {
    const one = file('one', config('one'));
    const two = file('two', config('two'));
    const chosen = chooseContext({ kubeconfig: one }, { KUBECONFIG: two }, now);
    expect([chosen.context, chosen.server, chosen.source]).toEqual(['one', 'https://one.example:6443', one]);
  });

  test('$KUBECONFIG is a list: the first context is the current one, the others can be chosen, missing files are passed over', () => {
    const list = [join(folder, 'missing'), file('one', config('one')), file('two', config('two'))].join(':');
    expect(chooseContext({}, { KUBECONFIG: list }, now).context).toBe('one');
    expect(chooseContext({ context: 'two' }, { KUBECONFIG: list }, now).server).toBe('https://two.example:6443');
  });

  test('the same name in two files means the first file’s', () => {
    const other = config('one').replace('one.example', 'other.example');
    const list = [file('one', config('one')), file('other', other)].join(':');
    expect(chooseContext({}, { KUBECONFIG: list }, now).server).toBe('https://one.example:6443');
  });

  test('without a word it is ~/.kube/config', () => {
    const home = join(folder, 'home');
    mkdirSync(join(home, '.kube'), { recursive: true });
    writeFileSync(join(home, '.kube', 'config'), config('mine'));
    expect(chooseContext({}, { HOME: home }, now).context).toBe('mine');
  });

  test('none anywhere is said, with what to do', () => {
    expect(complaint({})).toMatch(
      /no kubeconfig: \$KUBECONFIG is not set, .*\.kube\/config is not there; give --kubeconfig FILE/,
    );
  });
});

describe('a kubeconfig that is no use', () => {
  test.each([
    ['nothing', ''],
    ['a list', '- a\n- b'],
    ['broken YAML', 'clusters: [{'],
    ['JSON cut off', '{"clusters": [{"name":'],
    ['a context without a cluster', 'contexts: [{ name: a }]'],
    ['a cluster without a server', 'clusters: [{ name: a, cluster: {} }]'],
    ['something else', 'apiVersion: v1\nkind: Pod'],
    ['bytes', '\u0000\u0001\u0002'],
  ])('%s is said on one line, with the file’s name', (_, text) => {
    const broken = file('broken', text);
    expect(complaint({ kubeconfig: broken })).toContain(`kubeconfig ${broken}`);
  });

  test('a missing file', () => {
    expect(complaint({ kubeconfig: join(folder, 'none') })).toBe(`kubeconfig ${join(folder, 'none')} is not there`);
    expect(complaint({}, { KUBECONFIG: join(folder, 'none') })).toContain('is not there');
  });

  test('a folder', () => {
    expect(complaint({ kubeconfig: folder })).toBe(`kubeconfig ${folder} can't be read: EISDIR`);
  });

  test('a context that is not in it, with those that are', () => {
    const one = file('one', config('one'));
    expect(complaint({ kubeconfig: one, context: 'prod' })).toBe(
      `kubeconfig ${one} has no context 'prod'; choose one with --context: one`,
    );
  });

  test('no current context', () => {
    const one = file('one', config('one').replace('current-context: one', ''));
    expect(complaint({ kubeconfig: one })).toBe(
      `kubeconfig ${one} has no current context; choose one with --context: one`,
    );
  });

  test('a context whose cluster or user is not in it', () => {
    const lost = file('lost', config('one').replace('users: [{ name: one-user', 'users: [{ name: two-user'));
    expect(complaint({ kubeconfig: lost })).toContain("names user 'one-user', which is not in it");
    const away = file('away', config('one').replace('cluster: one-cluster', 'cluster: x'));
    expect(complaint({ kubeconfig: away })).toContain("names cluster 'x', which is not in it");
  });

  test('a server that is no URL', () => {
    const odd = file('odd', config('one').replace('https://one.example:6443/', 'one.example'));
    expect(complaint({ kubeconfig: odd })).toContain("server 'one.example' of cluster 'one-cluster' is no http(s) URL");
  });
});

describe('a client certificate', () => {
  let cert = '';
  beforeAll(async () => {
    cert = join(folder, 'client.crt');
    const key = join(folder, 'client.key');
    const argv = [
      'openssl',
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
    ] as const;
    await run({ name: 'openssl', argv: [...argv, '-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=me'] });
  });

  test('that has expired is refused, saying whose, where and when', () => {
    const one = file('one', config('one', '{ client-certificate: client.crt, client-key: client.key }'));
    expect(chooseContext({ kubeconfig: one }, {}, now).context).toBe('one');
    expect(complaint({ kubeconfig: one }, {}, fromIso('2999-01-01T00:00:00Z'))).toMatch(
      /^client certificate of user 'one-user' in \S+ expired on \d{4}-\d\d-\d\dT[\d:]{8}Z; get a new one$/,
    );
  });

  test('that is not there or is none is said', () => {
    const lost = file('one', config('one', '{ client-certificate: lost.crt }'));
    expect(complaint({ kubeconfig: lost })).toContain('lost.crt is not there');
    const data = Buffer.from('not PEM').toString('base64');
    const none = file('one', config('one', `{ client-certificate-data: ${data} }`));
    expect(complaint({ kubeconfig: none })).toContain("client certificate of user 'one-user' in");
  });
});
