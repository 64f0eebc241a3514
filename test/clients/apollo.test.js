// Apollo Client: normalised cache, persisted queries, pages, errors and subscriptions.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import apollo from '@apollo/client/core/core.cjs';
import persisted from '@apollo/client/link/persisted-queries/persisted-queries.cjs';
import subscriptions from '@apollo/client/link/subscriptions/subscriptions.cjs';
import utilities from '@apollo/client/utilities/utilities.cjs';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { headers, say, serverId, socketURL, token, url } from './panel.js';

const { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } = apollo;
const sent = [];
const http = new HttpLink({
  uri: url,
  headers,
  fetch: (input, init) => {
    sent.push(JSON.parse(init.body));
    return fetch(input, init);
  },
});
const sockets = createClient({
  url: socketURL,
  webSocketImpl: WebSocket,
  connectionParams: { Authorization: `Bearer ${token}` },
});
const link = ApolloLink.split(
  ({ query }) => query.definitions.some((d) => d.operation === 'subscription'),
  new subscriptions.GraphQLWsLink(sockets),
  persisted
    .createPersistedQueryLink({ sha256: (text) => createHash('sha256').update(text).digest('hex') })
    .concat(http),
);
const fresh = () =>
  new ApolloClient({
    link,
    cache: new InMemoryCache({
      typePolicies: { Query: { fields: { allocations: utilities.relayStylePagination() } } },
    }),
  });

test.after(() => sockets.dispose());

test('persisted queries', async () => {
  const query = gql`query Persisted { viewer { user { id username } } }`;
  for (let i = 0; i < 2; i++) {
    const { data } = await fresh().query({ query });
    assert.equal(data.viewer.user.username, 'admin');
  }
  // The hash alone, then with the text, then the hash alone again.
  assert.deepEqual(sent.map((body) => 'query' in body), [false, true, false]);
});

test('a mutation changes what a query has cached', async () => {
  const client = fresh();
  const query = gql`query Names($id: ID!) { server(id: $id) { id name } }`;
  const variables = { id: serverId };
  await client.query({ query, variables });
  const mutation = gql`mutation Rename($id: ID!, $n: String!) { updateServer(input: { id: $id, name: $n }) { server { id name } } }`;
  await client.mutate({ mutation, variables: { id: serverId, n: 'renamed' } });
  assert.equal(client.readQuery({ query, variables }).server.name, 'renamed');
});

test('pages', async () => {
  const client = fresh();
  const { data } = await client.query({ query: gql`{ hostNodes { edges { node { id } } } }` });
  await client.mutate({
    mutation: gql`mutation Ports($id: ID!) { createAllocations(input: { nodeId: $id, ip: "127.0.0.1", ports: ["40000-40009"] }) { allocations { id } } }`,
    variables: { id: data.hostNodes.edges[0].node.id },
  });
  const query = gql`query Ports($after: String) { allocations(first: 4, after: $after) { edges { cursor node { id port } } pageInfo { hasNextPage endCursor } } }`;
  const observed = client.watchQuery({ query });
  let result = await observed.result();
  while (result.data.allocations.pageInfo.hasNextPage) {
    result = await observed.fetchMore({ variables: { after: result.data.allocations.pageInfo.endCursor } });
  }
  const all = client.readQuery({ query }).allocations.edges;
  assert.equal(all.length, 10);
  assert.equal(new Set(all.map((e) => e.node.id)).size, 10);
});

test('errors have their code', async () => {
  const query = gql`query Nothing { server(id: "srv_nothing") { id } }`;
  await assert.rejects(fresh().query({ query }), (error) => error.graphQLErrors[0].extensions.code === 'NOT_FOUND');
});

test('a subscription', async () => {
  const word = `apollo-${process.pid}`;
  const query = gql`subscription Lines($id: ID!) { console(serverId: $id) { lines { text } } }`;
  await new Promise((resolve, reject) => {
    const running = fresh().subscribe({ query, variables: { id: serverId } }).subscribe({
      next: ({ data }) => {
        if (data.console.lines.some((line) => line.text === `you said: ${word}`)) {
          running.unsubscribe();
          resolve();
        }
      },
      error: reject,
    });
    setTimeout(() => say(`say ${word}`), 200);
  });
});
