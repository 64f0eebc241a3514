// The one way from the page to the panel: queries and mutations by POST, subscriptions by graphql-transport-ws. Both
// send the credentials of the headers pane or, without an Authorization there, those of the session.

import { getOperationAST, parse } from 'graphql';
import { CloseCode, createClient } from 'graphql-ws';

import { expiry, session } from './session.js';

const endpoint = '/graphql';
const socketURL = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}${endpoint}`;

// A header that no form and no foreign page can send without being asked first.
const preflight = { 'X-Catalyst-Client': 'graphiql' };

// How long before its end a token is renewed, in milliseconds.
const renewBefore = 60_000;

// A stream of console lines is shown as one growing answer of at most this many lines, the newest first.
const keptLines = 200;

const refresh = /* GraphQL */ `
  mutation Refresh($input: RefreshSessionInput!) {
    refreshSession(input: $input) { accessToken refreshToken }
  }
`;

const statusText = {
  413: 'The request is too large.',
  429: 'Too many requests. Wait a moment and try again.',
  502: 'The panel does not answer. Is it running?',
  503: 'The panel is not ready. Try again in a moment.',
};

// post sends one operation and returns the answer; an answer that is no GraphQL becomes an error in its shape.
export async function post(params, headers) {
  let response;
  try {
    response = await fetch(endpoint, {
      method: 'POST',
      headers: {
        Accept: 'application/graphql-response+json, application/json;q=0.9',
        'Content-Type': 'application/json',
        ...preflight,
        ...headers,
      },
      body: JSON.stringify(params),
      credentials: 'omit',
    });
  } catch {
    return { errors: [{ message: 'The panel cannot be reached. Is it running?' }] };
  }
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    return { errors: [{ message: statusText[response.status] ?? `The panel answered ${response.status}: ${text}` }] };
  }
}

let renewal = null;

// renew gets a new access token when the old one is about to end. At most one renewal is under way.
async function renew() {
  const { token, refreshToken } = session.get();
  const end = expiry(token);
  if (!refreshToken || !end || end - Date.now() > renewBefore) return;
  renewal ??= post({ query: refresh, variables: { input: { refreshToken } } }, {})
    .then(({ data }) => {
      if (data?.refreshSession) session.renewed(data.refreshSession);
    })
    .finally(() => {
      renewal = null;
    });
  await renewal;
}

// credentials returns the headers of a request.
async function credentials(headers) {
  const own = { ...headers };
  if (Object.keys(own).some((name) => name.toLowerCase() === 'authorization')) return own;
  await renew();
  const { token } = session.get();
  return token ? { ...own, Authorization: `Bearer ${token}` } : own;
}

// isSubscription reports whether the operation that will run is a subscription.
function isSubscription({ query, operationName }) {
  try {
    return getOperationAST(parse(query), operationName)?.operation === 'subscription';
  } catch {
    return false;
  }
}

// growing returns a function that joins the lines of console batches, so that a running console can be read; every
// other answer passes through unchanged.
function growing() {
  const kept = new Map();
  return (result) => {
    for (const [field, batch] of Object.entries(result.data ?? {})) {
      if (!Array.isArray(batch?.lines)) continue;
      const lines = [...batch.lines.toReversed(), ...(kept.get(field) ?? [])].slice(0, keptLines);
      kept.set(field, lines);
      batch.lines = lines;
    }
    return result;
  };
}

// closeError turns the end of a socket into a sentence.
function closeError(cause) {
  if (!(cause instanceof CloseEvent)) return cause;
  if (cause.code === CloseCode.Forbidden) return new Error('The panel refused the credentials. Sign in again.');
  return new Error(`The panel closed the connection (${cause.code}). ${cause.reason}`.trim());
}

// subscribe opens a socket for one subscription. The credentials are read anew on every attempt, since a token ends
// before a subscription does.
async function* subscribe(params, headers) {
  const client = createClient({
    url: socketURL,
    connectionParams: () => credentials(headers),
    lazy: true,
    retryAttempts: 0,
  });
  const grow = growing();
  try {
    for await (const result of client.iterate(params)) yield grow(result);
  } catch (cause) {
    throw closeError(cause);
  } finally {
    client.dispose();
  }
}

// fetcher is what GraphiQL calls for each operation.
export function fetcher(params, options = {}) {
  if (isSubscription(params)) return subscribe(params, options.headers);
  return run(params, options.headers);
}

async function run(params, headers) {
  const sent = await credentials(headers);
  if (params.operationName === 'IntrospectionQuery' && !sent.Authorization) {
    return { data: null, errors: [{ message: 'Sign in to see the schema: run the login mutation, or use the bar above.' }] };
  }
  const result = await post(params, sent);
  session.adopt(result.data);
  return result;
}
