// Certificates for one test, made by openssl: an authority, a server's for `name`, a client's; and another authority that signed none.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../src/process.ts';

/** Paths of PEM files. */
export type Certificates = AsyncDisposable & {
  readonly ca: string;
  readonly otherCa: string;
  readonly server: { readonly cert: string; readonly key: string };
  readonly client: { readonly cert: string; readonly key: string };
};

export const certificates = async (name: string): Promise<Certificates> => {
  const folder = await mkdtemp(join(tmpdir(), 'certificates-'));
  const at = (file: string): string => join(folder, file);
  const openssl = (...args: string[]): Promise<string> => run({ name: 'openssl', argv: ['openssl', ...args] });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const authority = (one: string): Promise<string> =>
    openssl(
      'req',
      '-x509',
      ...key,
      '-days',
      '2',
      '-subj',
      `/CN=${one}`,
      '-keyout',
      at(`${one}.key`),
      '-out',
      at(`${one}.crt`),
    );
  const signed = async (one: string, extension: string): Promise<{ cert: string; key: string }> => {
    await openssl('req', ...key, '-subj', `/CN=${one}`, '-keyout', at(`${one}.key`), '-out', at(`${one}.csr`));
    await writeFile(at(`${one}.ext`), extension);
    const by = ['-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '2'];
    await openssl(
      'x509',
      '-req',
      '-in',
      at(`${one}.csr`),
      ...by,
      '-extfile',
      at(`${one}.ext`),
      '-out',
      at(`${one}.crt`),
    );
    return { cert: at(`${one}.crt`), key: at(`${one}.key`) };
  };
  await authority('ca');
  await authority('other');
  return {
    ca: at('ca.crt'),
    otherCa: at('other.crt'),
    server: await signed('server', `subjectAltName=DNS:${name}\nextendedKeyUsage=serverAuth\n`),
    client: await signed('client', 'extendedKeyUsage=clientAuth\n'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
};
