declare module 'pcap-parser' {
  import type { EventEmitter } from 'node:events';
  import type { Readable } from 'node:stream';

  export type Header = {
    timestampSeconds: number;
    timestampMicroseconds: number;
    capturedLength: number;
    originalLength: number;
  };
  type Events = { packet: [{ header: Header; data: Buffer }]; end: []; error: [Error] };
  const pcapParser: { parse(input: Readable | string): EventEmitter<Events> };
  export default pcapParser;
}
