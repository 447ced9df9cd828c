import { latency, scenario } from 'firedrill';

export default scenario('only tagged requests are slow, on one edge only', {
  traffic: { rate: '25/s' },
  fault: latency('risk-service->market-data', '200ms', { hit: 'tagged' }),
  hold: '20s',
  expect: { traces: 'located', metrics: 'located', logs: 'located', flows: 'located', packets: 'located' },
});
