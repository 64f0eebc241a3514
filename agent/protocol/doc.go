// Package protocol is the wire contract between the panel and a node agent: the Connect service, its messages, and the
// constants of the handshake. Nothing else is shared by the two sides except the enumerations and the error codes.
//
// The life of a link:
//
//	agent                                                     panel
//	  │  GET /agent/v1/connect                                  │
//	  │  Upgrade: websocket, Sec-WebSocket-Protocol: catalyst.agent.v1
//	  │  Authorization: Catalyst-Node <node id>.<nonce>.<signature>
//	  ├────────────────────────────────────────────────────────►│  checks nonce and signature, fences an older link
//	  │◄────────────────────────────────────────────────────────┤  101
//	  │              HTTP/2 (prior knowledge) over binary frames │
//	  │◄──────────── AgentService/Hello ─────────────────────────┤  versions, limits; the answer describes the system
//	  │◄──────────── AgentService/Sync ──────────────────────────┤  all servers that should be here; the answer is the digest
//	  │◄═══════════ AgentService/Events, Console ═══════════════►│  for as long as the link lives
//
// The agent dials, but is the HTTP/2 server on that connection: the panel calls, the agent answers.
package protocol
