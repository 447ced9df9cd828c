// One reading of a capture in a thread of its own: like the command, which reads one capture and ends, it has its code to itself.
import { parentPort, workerData } from 'node:worker_threads';
import { inlineMore } from '../src/pcap/inline.ts';
import { surveyFiles } from '../src/pcap/shares.ts';

const { file, http } = workerData as { readonly file: string; readonly http: boolean };
inlineMore();
const from = performance.now();
const { files, result } = await surveyFiles([file], { filter: { ends: [], protocol: null }, tags: {}, http }, 1);
parentPort!.postMessage({ packets: files[0]!.packets, ms: performance.now() - from, result });
