// What every test knows of the panel that it talks to.
import assert from 'node:assert/strict';

export const url = process.env.CATALYST_URL + '/graphql';
export const socketURL = url.replace('http', 'ws');
export const token = process.env.CATALYST_TOKEN;
export const serverId = process.env.CATALYST_SERVER;
export const headers = { Authorization: `Bearer ${token}` };

// send posts one operation.
export async function send(query, variables) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...headers, 'Content-Type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

// say has the Demo server answer on its console.
export const say = (text) =>
  send('mutation($id: ID!, $c: String!) { sendCommand(input: { serverId: $id, command: $c }) { server { id } } }', {
    id: serverId,
    c: text,
  });

export const consoleQuery = `subscription($id: ID!, $after: Seq) {
  console(serverId: $id, after: $after) { lines { seq stream text } skipped }
}`;
