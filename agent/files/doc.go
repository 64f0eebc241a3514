// Package files is the only way by which the agent touches servers' files. Everything goes through handles (os.Root and
// descriptors below it), so that no link, and no name that a program or a user has chosen, leads outside of a server's
// root.
//
// A Store is the directory of all servers; it makes, measures and removes their directories. A Tree is one server's root,
// opened for some work and closed after it:
//
//	tree, err := store.Tree(serverID)
//	defer tree.Close()
//	file, err := tree.Open("world/level.dat")               // read, at any place
//	out, err := tree.Replace("server.properties", files.As{}) // write anew: seen as a whole, or not at all
//	out.Commit()
//
// # What always holds
//
//   - Paths are relative to the root, with or without a slash at the beginning. "..", NUL, names of more than 255 and paths
//     of more than 4096 bytes are refused. Names are bytes: they need not be UTF-8.
//   - Links are followed inside of the root only. Nothing that is swapped meanwhile changes that.
//   - Only regular files and directories are opened. A FIFO, a socket or a device is listed, renamed and deleted like
//     any name, but never opened for its content, so nothing can block.
//   - What is made belongs to the user whom the root belongs to, as far as the agent may give it away, and has none of the
//     set-user, set-group and sticky bits.
//   - Whoever writes reserves the room before, by the server's quota (SetQuota) and so that the node keeps some free space;
//     QUOTA_EXCEEDED says how much there is. What lies beside the root until it is complete counts.
//   - What a replacement writes lies outside of the root until it is complete.
//
// Errors that a user has to know of are faults, whose chain still has the system's error (errors.Is(err, fs.ErrNotExist)).
//
// The supervisor, the file service, SFTP, archives and backups call it. All of it is safe for concurrent use, but for a
// single File or Replacement.
package files
