// What a frontend does with the generated types; it only has to compile.
import type { ConsoleSubscription, ServersQuery, ServersQueryVariables } from '../generated/codegen/types.ts';
import { ServersDocument } from '../generated/codegen/types.ts';

export const variables: ServersQueryVariables = { first: 25, where: { state: 'RUNNING' as never } };
export const document = ServersDocument;

export function rows(data: ServersQuery): string[] {
  return data.servers.edges.map(({ node }) => `${node.name} ${node.state} ${node.owner?.username ?? '?'} ${node.stats?.memoryBytes ?? 0}`);
}

export function last(data: ConsoleSubscription): string | undefined {
  return data.console.lines.at(-1)?.seq;
}
