// One reading of a capture in a thread of its own: like the command, which reads one capture and ends, it has its code to itself. JavaScript,
// as in the package: what strips the types from TypeScript is compiled meanwhile by the same threads of V8, for a tenth of the time.
import { parentPort, workerData } from 'node:worker_threads';
import { inlineMore } from '../dist/src/pcap/inline.js';
import { surveyFiles } from '../dist/src/pcap/shares.js';

const { file, http } = workerData;
inlineMore();
const from = performance.now();
const { files, result } = await surveyFiles([file], { filter: { ends: [], protocol: null }, tags: {}, http }, 1);
parentPort.postMessage({ packets: files[0].packets, ms: performance.now() - from, result });
