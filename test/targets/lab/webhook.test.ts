import { describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { startWebhook, type Webhook } from '../../../src/targets/lab/webhook.ts';
import { fromIso, systemClock } from '../../../src/time.ts';

/** As Alertmanager 0.25 sent it, shortened. */
const payload = (name: string) => ({
  receiver: 'webhook',
  status: 'firing',
  alerts: [
    {
      status: 'firing',
      labels: { alertname: name, service: 'orders' },
      annotations: { summary: 'orders is down' },
      startsAt: '2026-11-21T07:26:13.587Z',
      endsAt: '0001-01-01T00:00:00Z',
      generatorURL: 'http://127.0.0.1:9090/graph?g0.expr=up',
      fingerprint: '6ca8954a50c9d6ff',
    },
  ],
  groupLabels: { alertname: name },
  commonLabels: { alertname: name, service: 'orders' },
  commonAnnotations: { summary: 'orders is down' },
  externalURL: 'http://127.0.0.1:9093',
  version: '4',
  groupKey: '{}:{}',
  truncatedAlerts: 0,
});

const post = async (url: string, body: string) => {
  const answer = await request(url, { method: 'POST', body });
  return { status: answer.statusCode, body: (await answer.body.json()) as { error?: string } };
};
const read = async ({ url }: Webhook) => {
  const answer = await request(`${url}deliveries`);
  return { dropped: answer.headers['x-dropped'], body: await answer.body.json() };
};
const started = (max: number): Promise<Webhook> => startWebhook({ host: '127.0.0.1', port: 0, max });

describe('the webhook receiver', () => {
  test('gives back what was delivered, whole, with the time at which it came', async () => {
    await using webhook = await started(10);
    const before = systemClock.now();
    expect((await post(webhook.url, JSON.stringify(payload('PodDown')))).status).toBe(200);
    const { body } = await read(webhook);
    expect(body).toEqual([{ ...payload('PodDown'), receivedAt: expect.stringMatching(/\.\d{9}Z$/) }]);
    expect(fromIso(webhook.deliveries()[0]!.receivedAt)).toBeGreaterThanOrEqual(before);
  });

  test('keeps the newest and says how many it dropped', async () => {
    await using webhook = await started(2);
    for (const name of ['a', 'b', 'c', 'd', 'e']) await post(webhook.url, JSON.stringify(payload(name)));
    expect(webhook.deliveries().map((one) => one.groupLabels.alertname)).toEqual(['d', 'e']);
    expect((await read(webhook)).dropped).toBe('3');
  });

  test.each([
    ['half a payload', JSON.stringify(payload('x')).slice(0, 90), /JSON/],
    ['another version', JSON.stringify({ ...payload('x'), version: '3' }), /version/],
    ['no alerts', JSON.stringify({ ...payload('x'), alerts: undefined }), /alerts/],
  ])('refuses %s with one line and keeps nothing', async (_, body, why) => {
    await using webhook = await started(10);
    const answer = await post(webhook.url, body);
    expect(answer.status).toBe(400);
    expect(answer.body.error).toMatch(why);
    expect(answer.body.error).not.toContain('\n');
    expect(webhook.deliveries()).toEqual([]);
  });

  test('knows no other path', async () => {
    await using webhook = await started(10);
    expect((await post(`${webhook.url}other`, '{}')).status).toBe(404);
  });

  test('says that its port is taken', async () => {
    await using webhook = await started(1);
    const port = Number(new URL(webhook.url).port);
    await expect(startWebhook({ host: '127.0.0.1', port, max: 1 })).rejects.toThrow(/^webhook receiver: .*EADDRINUSE/);
  });
});
