import { latency, scenario } from 'firedrill';

export default scenario('a short delay', {
  traffic: { rate: '10/s' },
  steadyState: { answered: 0.9, p99: '3s' },
  fault: latency('risk-service->market-data', '300ms'),
  warmUp: '2s',
  baseline: '5s',
  hold: '6s',
  recovery: '2s',
});
