// Package sftpd is the SSH front of SFTP: it accepts connections, finds out who a client is, and passes the packets of its
// sessions on. What a client may do is decided behind [Backend], and the packets are understood by the node's agent.
//
// Nothing but the subsystem "sftp" is offered: no shell, no commands, no forwarding. The algorithms are those of
// [algorithms]; key exchange is strict where the client knows how, against prefix truncation (CVE-2023-48795).
package sftpd
