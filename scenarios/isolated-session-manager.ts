import { networkPolicy, scenario } from 'firedrill';

export default scenario('a network policy isolates the session manager', {
  traffic: { rate: '25/s' },
  fault: networkPolicy('session-manager', { how: 'reject' }),
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
