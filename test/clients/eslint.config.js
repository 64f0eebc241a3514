import graphql from '@graphql-eslint/eslint-plugin';

export default [
  {
    files: ['generated/schema.graphql'],
    languageOptions: { parser: graphql.parser, parserOptions: { graphQLConfig: { schema: './generated/schema.graphql' } } },
    plugins: { '@graphql-eslint': graphql },
    rules: {
      ...graphql.configs['flat/schema-recommended'].rules,
      ...graphql.configs['flat/schema-relay'].rules,
      // Every type, field, argument, input and enum value is described.
      '@graphql-eslint/require-description': [
        'error',
        {
          types: true,
          DirectiveDefinition: true,
          EnumValueDefinition: true,
          FieldDefinition: true,
          InputValueDefinition: true,
          rootField: true,
        },
      ],
      // Payloads, events, edges and statistics are values without an identity. Entities have one by Relay's Node.
      '@graphql-eslint/strict-id-in-types': 'off',
      // Short lists of values that belong to one entity, such as its permissions, are no connections,
      // and the lines of a console are a series without identities.
      '@graphql-eslint/relay-edge-types': ['error', { listTypeCanWrapOnlyEdgeType: false, shouldImplementNode: false }],
      // A directory's entries are paged forwards: a node lists it without holding it, and nobody reads it from its end.
      '@graphql-eslint/relay-arguments': ['error', { includeBoth: false }],
      // "username" is one word, and what everybody calls it.
      '@graphql-eslint/no-typename-prefix': 'off',
    },
  },
];
