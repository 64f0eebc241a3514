// urql: queries, errors and subscriptions.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Client, cacheExchange, fetchExchange, gql, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { headers, say, serverId, socketURL, token, url } from './panel.js';

const sockets = createClient({
  url: socketURL,
  webSocketImpl: WebSocket,
  connectionParams: { Authorization: `Bearer ${token}` },
});
const client = new Client({
  url,
  preferGetMethod: false,
  fetchOptions: { headers },
  exchanges: [
    cacheExchange,
    fetchExchange,
    subscriptionExchange({
      forwardSubscription: (request) => ({
        subscribe: (sink) => ({ unsubscribe: sockets.subscribe({ ...request, query: request.query ?? '' }, sink) }),
      }),
    }),
  ],
});

test.after(() => sockets.dispose());

test('a query', async () => {
  const { data, error } = await client.query(gql`{ servers { edges { node { id name } } } }`, {}).toPromise();
  assert.equal(error, undefined);
  assert.equal(data.servers.edges[0].node.id, serverId);
});

test('errors have their code', async () => {
  const { error } = await client.query(gql`{ server(id: "srv_nothing") { id } }`, {}).toPromise();
  assert.equal(error.graphQLErrors[0].extensions.code, 'NOT_FOUND');
});

test('a subscription', async () => {
  const word = `urql-${process.pid}`;
  const query = gql`subscription Lines($id: ID!) { console(serverId: $id) { lines { text } } }`;
  await new Promise((resolve) => {
    const { unsubscribe } = client.subscription(query, { id: serverId }).subscribe(({ data }) => {
      if (data?.console.lines.some((line) => line.text === `you said: ${word}`)) {
        unsubscribe();
        resolve();
      }
    });
    setTimeout(() => say(`say ${word}`), 200);
  });
});
