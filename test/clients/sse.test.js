// Subscriptions and single results over server-sent events, as graphql-sse speaks its distinct connections mode.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createClient } from 'graphql-sse';
import { consoleQuery, headers, say, serverId, url } from './panel.js';

const client = createClient({ url, headers, retryAttempts: 0 });

test('a query', async () => {
  for await (const { data } of client.iterate({ query: '{ viewer { user { username } } }' })) {
    assert.equal(data.viewer.user.username, 'admin');
  }
});

test('a subscription', async () => {
  const word = `sse-${process.pid}`;
  setTimeout(() => say(`say ${word}`), 200);
  let answered = false;
  for await (const { data } of client.iterate({ query: consoleQuery, variables: { id: serverId, after: null } })) {
    answered = data.console.lines.some((line) => line.text === `you said: ${word}`);
    if (answered) break;
  }
  assert.ok(answered);
});

test('a subscription that is refused', async () => {
  const results = client.iterate({ query: consoleQuery, variables: { id: 'srv_nothing', after: null } });
  const { value } = await results.next();
  assert.equal(value.errors[0].extensions.code, 'NOT_FOUND');
});
