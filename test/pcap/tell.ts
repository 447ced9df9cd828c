// Little captures told packet by packet, and what a survey makes of them.
import { ALL } from '../../src/pcap/filter.ts';
import { createPcapScanner } from '../../src/pcap/reader.ts';
import { createSurvey, resultOf, type SurveyOptions, type SurveyResult } from '../../src/pcap/survey.ts';
import { classicFile, type Segment, type Stamped, tcp4 } from './build.ts';

/** A packet at so many milliseconds after the start. */
export type Told = Segment & { readonly ms: number };

export const START = 1_700_000_000;

const stamped = ({ ms, ...segment }: Told, n: number): Stamped => ({
  seconds: START + Math.floor(ms / 1000),
  fraction: Math.round((ms % 1000) * 1000),
  data: tcp4({ ipId: n + 1, ...segment }),
});

/** A classic capture of raw IP packets; each has an IP identification of its own unless it names one. */
export const captureOf = (packets: readonly Told[]): Buffer => classicFile(packets.map(stamped), { linkType: 101 });

export const EVERYTHING: SurveyOptions = { filter: { ends: [], protocol: null }, tags: {}, http: true, share: ALL };

export const surveyOf = (file: Buffer, options: Partial<SurveyOptions> = {}): SurveyResult => {
  const survey = createSurvey({ ...EVERYTHING, ...options });
  createPcapScanner(survey.take).push(file);
  return resultOf([survey.found()]);
};

const CLIENT = { from: '10.0.0.1', to: '10.0.0.2', sourcePort: 40_000, destinationPort: 8080 };
const SERVER = { from: '10.0.0.2', to: '10.0.0.1', sourcePort: 8080, destinationPort: 40_000 };

export const client = (ms: number, rest: Partial<Segment>): Told => ({ ...CLIENT, ...rest, ms });
export const server = (ms: number, rest: Partial<Segment>): Told => ({ ...SERVER, ...rest, ms });

/** Client at sequence number 1, server at 1001 afterwards; the round trip takes 2 ms. */
export const handshake = (ms: number): Told[] => [
  client(ms, { flags: 'S', seq: 0 }),
  server(ms + 1, { flags: 'SA', seq: 1000, ack: 1 }),
  client(ms + 2, { flags: 'A', seq: 1, ack: 1001 }),
];

export const request = (path: string, headers: Readonly<Record<string, string>> = {}): string =>
  `GET ${path} HTTP/1.1\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`;

export const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';
