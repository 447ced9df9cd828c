// OTLP/HTTP's server side: POST /v1/traces, protobuf or JSON, plain or gzip.
// https://opentelemetry.io/docs/specs/otlp/#otlphttp-request
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { ZodError } from 'zod';
import { oneLine } from '../../errors.ts';
import { problems } from '../../platform.ts';
import type { SpanMemory } from './trace-store-memory.ts';
import { type ExportRequest, exportRequest, storedSpans } from './trace-store-otlp.ts';
import { decodeExportRequest, encodeExportResponse, encodeStatus } from './trace-store-protobuf.ts';

export type Receipt = { readonly status: number; readonly type: string; readonly body: string | Uint8Array };

/** The specification's recommended limit, for what comes over the wire and for what it unpacks to. */
const MAX_BYTES = 64 * 1024 * 1024;
const INVALID_ARGUMENT = 3;
const TYPES = ['application/json', 'application/x-protobuf'];

/** Takes one export request into the memory and says what to answer. Rejects only when the sender goes away. */
export const receive = async (memory: SpanMemory, request: IncomingMessage): Promise<Receipt> => {
  const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (request.method !== 'POST') return plain(405, 'method not allowed, supported: [POST]');
  if (!TYPES.includes(type)) return plain(415, `unsupported media type, supported: [${TYPES.join(', ')}]`);
  if (!['gzip', 'identity'].includes(encoding)) return refusal(type, `unsupported Content-Encoding: ${encoding}`);
  const packed = await whole(request);
  if (packed === null) return plain(413, `request body is larger than ${MAX_BYTES} bytes`);
  try {
    const body = encoding === 'gzip' ? await promisify(gunzip)(packed, { maxOutputLength: MAX_BYTES }) : packed;
    return take(memory, type, body);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      return plain(413, `request body unpacks to more than ${MAX_BYTES} bytes`);
    return refusal(type, error instanceof ZodError ? problems(error) : oneLine(error));
  }
};

const plain = (status: number, message: string): Receipt => ({
  status,
  type: 'text/plain',
  body: `${status} ${message}`,
});

// Null when it is too much; the rest is then read and thrown away, so that the sender gets to see the answer.
const whole = async (request: IncomingMessage): Promise<Buffer | null> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_BYTES) chunks.push(chunk);
    else chunks.length = 0;
  }
  return size <= MAX_BYTES ? Buffer.concat(chunks) : null;
};

const take = (memory: SpanMemory, type: string, body: Buffer): Receipt => {
  const request: ExportRequest =
    type === 'application/json' ? exportRequest(fromJson(body)) : decodeExportRequest(body);
  const { spans, rejected } = storedSpans(request);
  memory.add(spans, rejected);
  const message = 'spans without a valid trace id and span id';
  if (type === 'application/x-protobuf') return { status: 200, type, body: encodeExportResponse(rejected, message) };
  const partialSuccess = rejected > 0 ? { rejectedSpans: String(rejected), errorMessage: message } : {};
  return { status: 200, type, body: JSON.stringify({ partialSuccess }) };
};

// Protobuf's JSON mapping takes null for what is not there.
const fromJson = (body: Buffer): unknown =>
  JSON.parse(body.toString('utf8'), (_key, value) => (value === null ? undefined : value)) ?? {};

// A google.rpc.Status in the sender's own encoding.
const refusal = (type: string, message: string): Receipt => ({
  status: 400,
  type,
  body:
    type === 'application/x-protobuf'
      ? encodeStatus(INVALID_ARGUMENT, message)
      : JSON.stringify({ code: INVALID_ARGUMENT, message }),
});
