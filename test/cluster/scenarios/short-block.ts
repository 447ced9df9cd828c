import { networkPolicy, scenario } from 'firedrill';

export default scenario('a short block', {
  traffic: { rate: '10/s' },
  steadyState: { answered: 0.9, p99: '3s' },
  fault: networkPolicy('risk-service->portfolio-service'),
  warmUp: '2s',
  baseline: '5s',
  hold: '6s',
  recovery: '2s',
  expect: { traces: 'located', flows: 'located' },
});
