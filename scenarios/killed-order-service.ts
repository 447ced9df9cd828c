import { podKill, scenario } from 'firedrill';

export default scenario('a killed order-service is noticed', {
  traffic: { rate: '25/s' },
  steadyState: { answered: 0.97, p99: '1s' },
  fault: podKill('order-service', { pods: 'all' }),
  hold: '20s',
  expect: {
    traces: 'located',
    metrics: 'located',
    alerts: 'located',
    logs: 'located',
    flows: 'located',
    packets: 'located',
  },
});
