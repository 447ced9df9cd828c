import { podKill, scenario } from 'firedrill';

export default scenario('a short kill', {
  traffic: { rate: '10/s' },
  steadyState: { answered: 0.9, p99: '3s' },
  fault: podKill('portfolio-service'),
  warmUp: '2s',
  baseline: '5s',
  hold: '10s',
  recovery: '2s',
});
