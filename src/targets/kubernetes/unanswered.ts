// Why no answer came from the API server, in one line: what, where, what to do.
import { Unreachable, Usage } from '../../errors.ts';
import { failure } from '../../traffic/failure.ts';

const UNTRUSTED = /^(UNABLE_TO|SELF_SIGNED|DEPTH_ZERO|CERT_|ERR_TLS_CERT)/;

/** What to throw for what was caught: errors with a line of ours, and aborts, stay what they are. */
export const unanswered = (server: string, error: unknown): Error => {
  if (error instanceof Unreachable || error instanceof Usage) return error;
  const caught = error as NodeJS.ErrnoException;
  if (caught.name === 'AbortError') return caught;
  return new Unreachable(`kubernetes: no answer from ${server}: ${why(caught)}`);
};

const why = (error: NodeJS.ErrnoException): string => {
  const { code = '', name, message } = error;
  if (name === 'TimeoutError') return 'it took too long';
  if (UNTRUSTED.test(code))
    return `its certificate is not trusted (${code}: ${message}); check certificate-authority in the kubeconfig`;
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG')
    return 'it does not speak TLS; is its URL http://?';
  if (code.startsWith('ERR_SSL')) return `it refuses this client's TLS (${code}); check the client certificate`;
  return `${failure(error)}; is the cluster up, and is it the right context?`;
};
