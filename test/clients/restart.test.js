// A client with resumption sees every line once, in order, while the panel is restarted under it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { consoleQuery, say, serverId, socketURL, token } from './panel.js';

test('nothing is lost and nothing comes twice', { timeout: 60_000 }, async (t) => {
  const closes = [];
  const client = createClient({
    url: socketURL,
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: `Bearer ${token}` },
    retryAttempts: 50,
    retryWait: () => new Promise((resolve) => setTimeout(resolve, 200)),
    shouldRetry: () => true,
    on: { closed: (event) => closes.push(event.code) },
  });
  t.after(() => client.terminate());
  // The same object is sent again after a reconnect: it names the last line that was seen.
  const variables = { id: serverId, after: null };
  const rates = [];
  let last;
  let asked = false;
  let told = false;
  for await (const { data, errors } of client.iterate({ query: consoleQuery, variables })) {
    assert.equal(errors, undefined, JSON.stringify(errors));
    assert.equal(data.console.skipped, 0);
    for (const line of data.console.lines) {
      if (last !== undefined) assert.equal(BigInt(line.seq), last + 1n);
      last = BigInt(line.seq);
      variables.after = line.seq;
      const [, count] = line.text.match(/^rate (\d+) \d{10,}$/) ?? [];
      if (count) rates.push(Number(count));
    }
    if (!asked) {
      asked = true;
      await say('rate 200 8');
    }
    if (rates.length > 200 && closes.length === 0 && !told) {
      told = true;
      console.log('restart now');
    }
    if (rates.at(-1) === 1600) break;
  }
  assert.deepEqual(rates, Array.from({ length: 1600 }, (_, i) => i + 1));
  assert.equal(closes[0], 1012);
});
