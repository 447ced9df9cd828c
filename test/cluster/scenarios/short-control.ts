import { none, scenario } from 'firedrill';

export default scenario('a short control', {
  traffic: { rate: '30/s' },
  steadyState: { answered: 0.9, p99: '3s' },
  fault: none(),
  warmUp: '2s',
  baseline: '6s',
  hold: '4s',
  recovery: '2s',
});
