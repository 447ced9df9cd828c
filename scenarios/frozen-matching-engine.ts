import { podKill, scenario } from 'firedrill';

export default scenario('a frozen matching engine is noticed', {
  traffic: { rate: '25/s' },
  fault: podKill('matching-engine', { how: 'SIGSTOP' }),
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
