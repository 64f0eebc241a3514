// Package sftp answers the packets of SFTP clients (draft-ietf-secsh-filexfer-02, with OpenSSH's extensions posix-rename,
// hardlink and statvfs) with a server's files. The panel speaks SSH and knows who the client is; what arrives here is the
// stream of packets, together with what the session may do, and every operation is held to that.
//
// All files are reached through package files. What a session changes is gathered and told from time to time, each kind of
// change of a file once, however many packets it took.
package sftp
