// A list that loads further pages by itself, as Relay wants it of a server: Node, connections and a refetchable fragment.
import { graphql } from 'relay-runtime';
import type { servers_list$data } from '../generated/relay/servers_list.graphql.ts';

export const page = graphql`
  query serversQuery($count: Int!) {
    ...servers_list @arguments(count: $count)
  }
`;

export const list = graphql`
  fragment servers_list on Query
  @refetchable(queryName: "serversPaginationQuery")
  @argumentDefinitions(count: { type: "Int", defaultValue: 10 }, cursor: { type: "String" }) {
    servers(first: $count, after: $cursor) @connection(key: "servers_servers") {
      edges {
        node {
          id
          name
          ...servers_row
        }
      }
    }
  }
`;

export const row = graphql`
  fragment servers_row on Server @refetchable(queryName: "serversRowQuery") {
    state
    createdAt
  }
`;

export const changed = graphql`
  subscription serversChangedSubscription($id: ID!) {
    serverChanged(id: $id) {
      server {
        ...servers_row
      }
    }
  }
`;

export function names(data: servers_list$data): string[] {
  return data.servers.edges.map(({ node }) => node.name);
}
