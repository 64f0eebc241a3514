// graphql-transport-ws, as graphql-ws speaks it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { consoleQuery, say, serverId, socketURL, token } from './panel.js';

const connect = (options = {}) =>
  createClient({
    url: socketURL,
    webSocketImpl: WebSocket,
    connectionParams: { Authorization: `Bearer ${token}` },
    retryAttempts: 0,
    ...options,
  });

const first = async (results) => {
  for await (const result of results) return result;
};

test('queries and mutations', async () => {
  const client = connect();
  const viewer = await first(client.iterate({ query: '{ viewer { user { username } } }' }));
  assert.equal(viewer.data.viewer.user.username, 'admin');
  const refused = await first(client.iterate({ query: 'mutation { startServer(input: { id: "x" }) { server { id } } }' }));
  assert.equal(refused.errors[0].extensions.code, 'NOT_FOUND');
  await client.dispose();
});

test('a subscription, and its end by the client', async () => {
  const client = connect();
  const lines = client.iterate({ query: consoleQuery, variables: { id: serverId, after: null } });
  const word = `ws-${process.pid}`;
  let answered = false;
  setTimeout(() => say(`say ${word}`), 100);
  for await (const { data, errors } of lines) {
    assert.equal(errors, undefined);
    answered = data.console.lines.some((line) => line.text === `you said: ${word}`);
    if (answered) break;
  }
  assert.ok(answered);
  await client.dispose();
});

test('an operation that is not valid ends with an error', async () => {
  const client = connect();
  await assert.rejects(first(client.iterate({ query: '{ nothing }' })), (errors) => errors[0].extensions.code === 'GRAPHQL_VALIDATION_FAILED');
  await client.dispose();
});

test('a wrong token closes with 4403', async () => {
  const client = connect({ connectionParams: { Authorization: 'Bearer nonsense' } });
  await assert.rejects(first(client.iterate({ query: '{ viewer { permissions } }' })), (event) => event.code === 4403);
});

test('keep-alive', async () => {
  let pongs = 0;
  const client = connect({ keepAlive: 50, on: { pong: () => pongs++ } });
  const lines = client.iterate({ query: consoleQuery, variables: { id: serverId, after: null } });
  while (pongs < 3) await lines.next();
  await lines.return();
  await client.dispose();
});

test('twenty subscriptions on one socket', async () => {
  const client = connect();
  const word = `many-${process.pid}`;
  const waits = Array.from({ length: 20 }, async () => {
    for await (const { data } of client.iterate({ query: consoleQuery, variables: { id: serverId, after: null } })) {
      if (data.console.lines.some((line) => line.text === `you said: ${word}`)) return true;
    }
  });
  setTimeout(() => say(`say ${word}`), 300);
  assert.deepEqual(new Set(await Promise.all(waits)), new Set([true]));
  await client.dispose();
});
