import { latency, scenario } from 'firedrill';

export default scenario('a slow market-data is noticed by all who call it', {
  traffic: { rate: '25/s' },
  fault: latency('market-data', '150ms', { jitter: '30ms', hit: 'all' }),
  hold: '20s',
  expect: { traces: 'located', metrics: 'located', logs: 'located', flows: 'located', packets: 'located' },
});
